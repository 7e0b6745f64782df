// TorchScript: load, run (here or on a worker of Node's thread pool), parameters; and state dicts written as pickles (they are read in TypeScript).
//
// Values that are not plain travel as tagged objects, which the TypeScript half unpacks and packs:
// { t: handle } a tensor, { l: [..] } a list, { u: [..] } a tuple, { d: [[key, value], ..] } a dict.
#include "script.h"

#include <ATen/ATen.h>
#include <ATen/ThreadLocalState.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <map>

#include "bind.h"
#include "compat.h"
#include "dispatch.h"

namespace foehn {
namespace {

Napi::Value tagged(Instance& in, const c10::IValue& value, int depth = 0) {
  Napi::Env env(in.env);
  if (depth > 200) throw AddonError("ERR_TORCH_RESULT", "a value nested more than 200 levels deep");
  auto wrap = [&](const char* tag, Napi::Value inner) {
    auto out = Napi::Object::New(env);
    out.Set(tag, inner);
    return out;
  };
  if (value.isTensor()) {
    const double id = in.add(value.toTensor());
    return id == 0 ? env.Null() : Napi::Value(wrap("t", Napi::Number::New(env, id)));
  }
  if (value.isList()) {
    const auto list = value.toListRef();
    auto out = Napi::Array::New(env, list.size());
    for (size_t i = 0; i < list.size(); i++) out.Set(static_cast<uint32_t>(i), tagged(in, list[i], depth + 1));
    return wrap("l", out);
  }
  if (value.isTuple()) {
    const auto& list = value.toTupleRef().elements();
    auto out = Napi::Array::New(env, list.size());
    for (size_t i = 0; i < list.size(); i++) out.Set(static_cast<uint32_t>(i), tagged(in, list[i], depth + 1));
    return wrap("u", out);
  }
  if (value.isGenericDict()) {
    auto out = Napi::Array::New(env);
    for (const auto& entry : value.toGenericDict()) {
      auto pair = Napi::Array::New(env, 2);
      pair.Set(0u, tagged(in, entry.key(), depth + 1));
      pair.Set(1u, tagged(in, entry.value(), depth + 1));
      out.Set(out.Length(), pair);
    }
    return wrap("d", out);
  }
  return Napi::Value(env, from_ivalue(in, value, -1));
}

c10::IValue untag(Instance& in, Napi::Value value, const c10::TypePtr& type);

std::vector<c10::IValue> untag_all(Instance& in, Napi::Value list, const c10::TypePtr& element) {
  std::vector<c10::IValue> out;
  auto array = list.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(untag(in, array[i], element));
  return out;
}

// `type` is what the method's schema declares; it decides between int and float, and the element type of lists.
c10::IValue untag(Instance& in, Napi::Value value, const c10::TypePtr& declared) {
  c10::TypePtr type = declared;
  if (auto optional = type->cast<c10::OptionalType>()) {
    if (value.IsNull() || value.IsUndefined()) return {};
    type = optional->getElementType();
  }
  if (value.IsNull() || value.IsUndefined()) return {};
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    const bool wants_float = type->kind() == c10::TypeKind::FloatType;
    return !wants_float && number == static_cast<double>(static_cast<int64_t>(number)) ? c10::IValue(static_cast<int64_t>(number)) : c10::IValue(number);
  }
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>();
    if (type->kind() == c10::TypeKind::DeviceObjType) return c10::Device(text);
    return text;
  }
  if (value.IsBigInt()) {
    bool lossless = false;
    return value.As<Napi::BigInt>().Int64Value(&lossless);
  }
  if (!value.IsObject()) throw AddonError("ERR_TORCH_ARGUMENT", "a TorchScript argument must be a tensor, number, string, boolean, list, tuple or map");
  auto object = value.As<Napi::Object>();
  if (object.Has("t")) return in.get(object.Get("t").ToNumber().DoubleValue());
  if (object.Has("d")) {
    c10::TypePtr key = c10::AnyType::get(), element = c10::AnyType::get();
    if (auto dict = type->cast<c10::DictType>()) {
      key = dict->getKeyType();
      element = dict->getValueType();
    } else {
      key = c10::StringType::get();
      element = c10::TensorType::get();
    }
    c10::impl::GenericDict out(key, element);
    auto pairs = object.Get("d").As<Napi::Array>();
    for (uint32_t i = 0; i < pairs.Length(); i++) {
      auto pair = Napi::Value(pairs[i]).As<Napi::Array>();
      out.insert(untag(in, pair[0u], key), untag(in, pair[1u], element));
    }
    return out;
  }
  if (object.Has("l")) {
    if (auto tuple = type->cast<c10::TupleType>()) {  // a JavaScript array serves as either
      std::vector<c10::IValue> elements;
      auto array = object.Get("l").As<Napi::Array>();
      for (uint32_t i = 0; i < array.Length(); i++)
        elements.push_back(untag(in, array[i], i < tuple->elements().size() ? tuple->elements()[i] : c10::TypePtr(c10::AnyType::get())));
      return c10::ivalue::Tuple::create(std::move(elements));
    }
    c10::TypePtr element;
    if (auto list = type->cast<c10::ListType>()) element = list->getElementType();
    auto values = untag_all(in, object.Get("l"), element ? element : c10::TypePtr(c10::AnyType::get()));
    if (!element) element = !values.empty() && values[0].isTensor() ? c10::TypePtr(c10::TensorType::get()) : c10::TypePtr(c10::AnyType::get());
    c10::impl::GenericList out(element);
    for (auto& one : values) out.push_back(std::move(one));
    return out;
  }
  throw AddonError("ERR_TORCH_ARGUMENT", "an object that is no tensor, list or map cannot be given to TorchScript");
}

ScriptState& script(Instance& in, const Napi::CallbackInfo& info) {
  const auto index = info[0].ToNumber().Int64Value();
  if (index < 0 || static_cast<size_t>(index) >= in.scripts.size() || !in.scripts[static_cast<size_t>(index)])
    throw AddonError("ERR_TORCH_DISPOSED", "this TorchScript module was disposed");
  return *in.scripts[static_cast<size_t>(index)];
}

Napi::Value script_load(Instance& in, const Napi::CallbackInfo& info) {  // scriptLoad(path, device | null)
  const std::string path = info[0].As<Napi::String>();
  Optional<c10::Device> device;
  if (info[1].IsString()) device = c10::Device(std::string(info[1].As<Napi::String>()));
  in.scripts.push_back(std::make_unique<ScriptState>(torch::jit::load(path, device)));
  return Napi::Number::New(info.Env(), static_cast<double>(in.scripts.size() - 1));
}

// A dotted path below a module: "encoder.0" names two levels of children. Children that are missing are made.
struct ScriptTree {
  explicit ScriptTree(torch::jit::Module module) : root(std::move(module)) {}
  torch::jit::Module root;
  std::map<std::string, torch::jit::Module> children;

  torch::jit::Module at(const std::string& path) {
    if (path.empty()) return root;
    auto known = children.find(path);
    if (known != children.end()) return known->second;
    const auto dot = path.rfind('.');
    torch::jit::Module parent = at(dot == std::string::npos ? "" : path.substr(0, dot));
    torch::jit::Module made(c10::QualifiedName("__torch__.foehn.Module"), root._ivalue()->compilation_unit(), /*shouldMangle=*/true);
    made.register_attribute("training", c10::BoolType::get(), false);
    parent.register_module(dot == std::string::npos ? path : path.substr(dot + 1), made);
    children.emplace(path, made);
    return made;
  }
};

// scriptCompile(source of forward, [[dotted name, tensor handle, is a parameter]]) → module id
Napi::Value script_compile(Instance& in, const Napi::CallbackInfo& info) {
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  ScriptTree tree(torch::jit::Module(c10::QualifiedName("__torch__.foehn.Network"), unit));
  tree.root.register_attribute("training", c10::BoolType::get(), false);
  auto tensors = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < tensors.Length(); i++) {
    auto entry = Napi::Value(tensors[i]).As<Napi::Array>();
    const std::string name = Napi::Value(entry[0u]).As<Napi::String>();
    const auto tensor = in.get(Napi::Value(entry[1u]).ToNumber().DoubleValue()).detach();
    const auto dot = name.rfind('.');
    auto owner = tree.at(dot == std::string::npos ? "" : name.substr(0, dot));
    const auto leaf = dot == std::string::npos ? name : name.substr(dot + 1);
    if (Napi::Value(entry[2u]).ToBoolean()) owner.register_parameter(leaf, tensor, /*is_buffer=*/false);
    else owner.register_buffer(leaf, tensor);
  }
  tree.root.define(info[0].As<Napi::String>().Utf8Value());
  in.scripts.push_back(std::make_unique<ScriptState>(tree.root));
  return Napi::Number::New(info.Env(), static_cast<double>(in.scripts.size() - 1));
}

Napi::Value script_save(Instance& in, const Napi::CallbackInfo& info) {  // scriptSave(id, path)
  script(in, info).module.save(info[1].As<Napi::String>().Utf8Value());
  return info.Env().Undefined();
}

Napi::Value script_free(Instance& in, const Napi::CallbackInfo& info) {
  script(in, info);
  in.scripts[static_cast<size_t>(info[0].ToNumber().Int64Value())].reset();
  return info.Env().Undefined();
}

std::vector<c10::IValue> script_arguments(Instance& in, const torch::jit::Method& method, Napi::Value given) {
  auto array = given.As<Napi::Array>();
  const auto& schema = method.function().getSchema();
  const auto& declared = schema.arguments();
  if (array.Length() + 1 > declared.size()) {
    std::ostringstream text;
    text << "too many arguments for " << schema;
    throw AddonError("ERR_TORCH_ARGUMENT", text.str());
  }
  std::vector<c10::IValue> out;
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(untag(in, array[i], declared[i + 1].type()));
  return out;
}

// scriptRun(id, method, arguments) → tagged result
Napi::Value script_run(Instance& in, const Napi::CallbackInfo& info) {
  auto& state = script(in, info);
  auto method = state.module.get_method(info[1].As<Napi::String>());
  auto arguments = script_arguments(in, method, info[2]);
  return tagged(in, method(std::move(arguments)));
}

class RunScript : public Napi::AsyncWorker {
 public:
  RunScript(Instance& in, torch::jit::Method method, std::vector<c10::IValue> arguments)
      : Napi::AsyncWorker(in.env), promise(Napi::Promise::Deferred::New(in.env)), in_(in), method_(std::move(method)), arguments_(std::move(arguments)) {}

  void Execute() override {
    try {
      at::ThreadLocalStateGuard guard(state_);  // gradient mode, autocast and so on as the caller had them
      result_ = method_(std::move(arguments_));
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  void OnOK() override {
    Napi::HandleScope scope(Env());
    try {
      if (error_) std::rethrow_exception(error_);
      promise.Resolve(tagged(in_, result_));
    } catch (const Napi::Error& e) {
      promise.Reject(e.Value());
    } catch (...) {
      promise.Reject(make_torch_error(in_, nullptr, {}).Value());
    }
  }

  Napi::Promise::Deferred promise;

 private:
  Instance& in_;
  torch::jit::Method method_;
  std::vector<c10::IValue> arguments_;
  at::ThreadLocalState state_;
  c10::IValue result_;
  std::exception_ptr error_;
};

Napi::Value script_run_async(Instance& in, const Napi::CallbackInfo& info) {
  auto& state = script(in, info);
  auto method = state.module.get_method(info[1].As<Napi::String>());
  auto arguments = script_arguments(in, method, info[2]);
  auto* work = new RunScript(in, std::move(method), std::move(arguments));
  auto promise = work->promise.Promise();
  work->Queue();
  return promise;
}

Napi::Value named(Instance& in, const Napi::CallbackInfo& info, bool parameters) {
  auto& state = script(in, info);
  auto out = Napi::Array::New(info.Env());
  auto add = [&](const std::string& name, const at::Tensor& tensor) {
    auto pair = Napi::Array::New(info.Env(), 2);
    pair.Set(0u, name);
    pair.Set(1u, in.add(tensor));
    out.Set(out.Length(), pair);
  };
  if (parameters) for (const auto& p : state.module.named_parameters(true)) add(p.name, p.value);
  else for (const auto& b : state.module.named_buffers(true)) add(b.name, b.value);
  return out;
}

Napi::Value script_parameters(Instance& in, const Napi::CallbackInfo& info) { return named(in, info, true); }
Napi::Value script_buffers(Instance& in, const Napi::CallbackInfo& info) { return named(in, info, false); }

Napi::Value script_train(Instance& in, const Napi::CallbackInfo& info) {
  script(in, info).module.train(info[1].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value script_to(Instance& in, const Napi::CallbackInfo& info) {  // scriptTo(id, device | null, dtype code | null)
  auto& module = script(in, info).module;
  if (info[1].IsString()) module.to(c10::Device(std::string(info[1].As<Napi::String>())));
  if (info[2].IsNumber()) module.to(static_cast<at::ScalarType>(info[2].ToNumber().Int32Value()));
  return info.Env().Undefined();
}

Napi::Value script_methods(Instance& in, const Napi::CallbackInfo& info) {
  auto out = Napi::Array::New(info.Env());
  for (const auto& method : script(in, info).module.get_methods()) {
    auto one = Napi::Object::New(info.Env());
    std::ostringstream schema;
    schema << method.function().getSchema();
    one.Set("name", method.name());
    one.Set("schema", schema.str());
    out.Set(out.Length(), one);
  }
  return out;
}

// pickleSave(tagged) → Buffer: a dict of names to tensors, as Python's torch.load reads it
Napi::Value pickle_save(Instance& in, const Napi::CallbackInfo& info) {
  const auto value = untag(in, info[0], c10::DictType::create(c10::StringType::get(), c10::TensorType::get()));
  const auto bytes = torch::jit::pickle_save(value);
  return Napi::Buffer<char>::Copy(info.Env(), bytes.data(), bytes.size());
}

}  // namespace

void define_script(Instance& in, Napi::Object& exports) {
  define<script_load>(in, exports, "scriptLoad");
  define<script_free>(in, exports, "scriptFree");
  define<script_compile>(in, exports, "scriptCompile");
  define<script_save>(in, exports, "scriptSave");
  define<script_run>(in, exports, "scriptRun");
  define<script_run_async>(in, exports, "scriptRunAsync");
  define<script_parameters>(in, exports, "scriptParameters");
  define<script_buffers>(in, exports, "scriptBuffers");
  define<script_train>(in, exports, "scriptTrain");
  define<script_to>(in, exports, "scriptTo");
  define<script_methods>(in, exports, "scriptMethods");
  define<pickle_save>(in, exports, "pickleSave");
}

}  // namespace foehn
