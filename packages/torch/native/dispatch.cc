// Looking operators up, describing them to the TypeScript half, and calling them.
#include "dispatch.h"

#include <ATen/core/jit_type.h>

#include <map>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "bind.h"
#include "compat.h"

namespace foehn {

std::string TypeSpec::text() const {
  std::string code = optional ? "?" : "";
  if (list) code += "[" + (fixed_length > 0 ? std::to_string(fixed_length) : std::string()) + ":";
  if (element_optional) code += "?";
  code += "TifsbSdLmDGcOX"[static_cast<int>(kind)];
  return code;
}

static Kind read_kind(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::Int;
    case c10::TypeKind::FloatType: return Kind::Float;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::BoolType: return Kind::Bool;
    case c10::TypeKind::StringType: return Kind::Str;
    case c10::TypeKind::ScalarTypeType: return Kind::DType;
    case c10::TypeKind::LayoutType: return Kind::Layout;
    case c10::TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::GeneratorType: return Kind::Generator;
    case c10::TypeKind::ComplexType: return Kind::Complex;
    case c10::TypeKind::ClassType: return Kind::Object;  // such as the packed weights of mkldnn_prepacked
    default: break;
  }
#if FOEHN_TORCH_AT_LEAST(2, 1)
  if (type->kind() == c10::TypeKind::SymBoolType) return Kind::Bool;
  if (type->kind() == c10::TypeKind::SymFloatType) return Kind::Float;
#endif
  return Kind::Unsupported;
}

TypeSpec read_type(const c10::TypePtr& given, int32_t fixed_length) {
  TypeSpec spec;
  c10::TypePtr type = given;
  if (auto optional = type->cast<c10::OptionalType>()) {
    spec.optional = true;
    type = optional->getElementType();
  }
  if (auto list = type->cast<c10::ListType>()) {
    spec.list = true;
    spec.fixed_length = fixed_length;
    type = list->getElementType();
    if (auto optional = type->cast<c10::OptionalType>()) {
      spec.element_optional = true;
      type = optional->getElementType();
    }
  }
  spec.kind = read_kind(type);
  return spec;
}

// The schema's own types, where ScalarType, Layout and MemoryFormat are not yet plain ints. The length of int[2]? hides in N.
static TypeSpec read_argument(const c10::Argument& argument) {
  return read_type(argument.real_type(), argument.N() ? static_cast<int32_t>(*argument.N()) : 0);
}

Operator::Operator(std::string full_name, c10::OperatorHandle op) : name(std::move(full_name)), handle(op) {
  const auto& schema = handle.schema();
  for (const auto& a : schema.arguments()) {
    ArgumentSpec spec;
    spec.name = a.name();
    spec.type = read_argument(a);
    spec.keyword_only = a.kwarg_only();
    spec.out = a.is_out();
    if (a.default_value()) {
      spec.has_default = true;
      spec.default_value = *a.default_value();
    }
    arguments.push_back(std::move(spec));
  }
  for (const auto& r : schema.returns()) {
    ReturnSpec spec;
    spec.type = read_type(r.real_type());
    if (r.alias_info() != nullptr && r.alias_info()->isWrite()) {
      for (size_t i = 0; i < schema.arguments().size(); i++) {
        const auto* alias = schema.arguments()[i].alias_info();
        if (alias != nullptr && alias->isWrite() && alias->beforeSets() == r.alias_info()->beforeSets()) spec.alias_of = static_cast<int32_t>(i);
      }
    }
    if (spec.alias_of < 0) returns_nothing_new = false;
    returns.push_back(spec);
  }
}

namespace {

constexpr size_t kMaxArguments = 40;

// All names the dispatcher knows, by base name. Libraries loaded later may add some, so a miss looks again.
std::vector<std::string> overloads_of(const std::string& base) {
  static std::mutex mutex;
  static std::unordered_map<std::string, std::vector<std::string>> known;
  std::lock_guard<std::mutex> lock(mutex);
  auto found = known.find(base);
  if (found == known.end()) {
    known.clear();
    for (const auto& op : c10::Dispatcher::singleton().getAllOpNames()) known[op.name].push_back(op.overload_name);
    for (auto& [name, overloads] : known) std::sort(overloads.begin(), overloads.end());
    found = known.find(base);
  }
  return found == known.end() ? std::vector<std::string>() : found->second;
}

int32_t operator_id(Instance& in, const std::string& base, const std::string& overload) {
  const std::string full = overload.empty() ? base : base + "." + overload;
  auto known = in.operator_ids.find(full);
  if (known != in.operator_ids.end()) return known->second;
  auto handle = c10::Dispatcher::singleton().findSchema({base, overload});
  if (!handle) return -1;
  in.operators.push_back(std::make_unique<Operator>(full, *handle));
  const auto id = static_cast<int32_t>(in.operators.size()) - 1;
  in.operator_ids.emplace(full, id);
  return id;
}

Napi::Value default_to_js(Napi::Env env, const c10::IValue& value) {
  std::ostringstream text;
  try {
    text << value;
  } catch (...) {
  }
  return Napi::String::New(env, text.str());
}

Napi::Value describe_operator(Instance& in, int32_t id) {
  Napi::Env env(in.env);
  const Operator& op = *in.operators[static_cast<size_t>(id)];
  auto out = Napi::Object::New(env);
  out.Set("id", id);
  out.Set("name", op.name);
  std::ostringstream schema;
  schema << op.handle.schema();
  out.Set("schema", schema.str());
  auto arguments = Napi::Array::New(env, op.arguments.size());
  uint32_t i = 0;
  for (const auto& a : op.arguments) {
    auto one = Napi::Object::New(env);
    one.Set("name", a.name);
    one.Set("type", a.type.text());
    one.Set("hasDefault", a.has_default);
    one.Set("keywordOnly", a.keyword_only);
    one.Set("out", a.out);
    if (a.has_default) one.Set("defaultText", default_to_js(env, a.default_value));
    arguments.Set(i++, one);
  }
  out.Set("arguments", arguments);
  auto returns = Napi::Array::New(env, op.returns.size());
  i = 0;
  for (const auto& r : op.returns) {
    auto one = Napi::Object::New(env);
    one.Set("type", r.type.text());
    one.Set("aliasOf", r.alias_of);
    returns.Set(i++, one);
  }
  out.Set("returns", returns);
  return out;
}

Napi::Value operator_names(Instance&, const Napi::CallbackInfo& info) {
  auto out = Napi::Array::New(info.Env());
  uint32_t i = 0;
  for (const auto& op : c10::Dispatcher::singleton().getAllOpNames())
    out.Set(i++, op.overload_name.empty() ? op.name : op.name + "." + op.overload_name);
  return out;
}

// overloads("aten::add") → every overload, described; [] where there is none
Napi::Value overloads(Instance& in, const Napi::CallbackInfo& info) {
  const std::string base = info[0].As<Napi::String>();
  auto out = Napi::Array::New(info.Env());
  uint32_t i = 0;
  for (const auto& overload : overloads_of(base)) {
    const int32_t id = operator_id(in, base, overload);
    if (id >= 0) out.Set(i++, describe_operator(in, id));
  }
  return out;
}

// operator("aten::add.Tensor") → its description, or null
Napi::Value one_operator(Instance& in, const Napi::CallbackInfo& info) {
  const std::string full = info[0].As<Napi::String>();
  const auto dot = full.find('.');
  const int32_t id = operator_id(in, full.substr(0, dot), dot == std::string::npos ? "" : full.substr(dot + 1));
  return id < 0 ? info.Env().Null() : describe_operator(in, id);
}

// dropObject(external): frees what an object of libtorch holds now, before the collector finds it
Napi::Value drop_object(Instance&, const Napi::CallbackInfo& info) {
  if (info[0].IsExternal()) *info[0].As<Napi::External<c10::IValue>>().Data() = c10::IValue();
  return info.Env().Undefined();
}

// call(operator, …arguments in schema order). The hot path: plain Node-API, one reused stack per thread.
napi_value call(napi_env env, napi_callback_info info) {
  static thread_local torch::jit::Stack stack;
  size_t argc = kMaxArguments;
  napi_value args[kMaxArguments];
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, args, nullptr, &data);
  auto& in = *static_cast<Instance*>(data);
  const Operator* op = nullptr;
  try {
    int32_t id = -1;
    napi_get_value_int32(env, args[0], &id);
    if (id < 0 || static_cast<size_t>(id) >= in.operators.size()) throw AddonError("ERR_TORCH_OPERATOR", "no such operator id");
    op = in.operators[static_cast<size_t>(id)].get();
    stack.clear();
    const size_t count = op->arguments.size();
    for (size_t i = 0; i < count; i++) {
      const ArgumentSpec& spec = op->arguments[i];
      napi_valuetype type = napi_undefined;
      if (i + 1 < kMaxArguments) napi_typeof(env, args[i + 1], &type);
      if (type == napi_undefined) {
        if (spec.has_default) stack.push_back(spec.default_value);
        else if (spec.type.optional) stack.emplace_back();
        else throw AddonError("ERR_TORCH_ARGUMENT", "missing argument '" + spec.name + "'");
      } else {
        stack.push_back(to_ivalue(in, spec.type, args[i + 1], *op, spec));
      }
    }
    op->handle.callBoxed(&stack);
    napi_value out = nullptr;
    if (op->returns_nothing_new) {
      stack.clear();
      napi_get_undefined(env, &out);
    } else if (stack.size() == 1) {
      out = from_ivalue(in, stack[0], id);
      stack.clear();
    } else {
      napi_create_array_with_length(env, stack.size(), &out);
      for (size_t i = 0; i < stack.size(); i++) {
        napi_value element = nullptr;
        if (op->returns[i].alias_of >= 0) napi_get_null(env, &element);  // TypeScript has the object already
        else element = from_ivalue(in, stack[i], id);
        napi_set_element(env, out, static_cast<uint32_t>(i), element);
      }
      stack.clear();
    }
    return out;
  } catch (const Napi::Error& e) {
    stack.clear();
    e.ThrowAsJavaScriptException();
  } catch (...) {
    // What the arguments were: still on the stack, or, once the kernel has taken them, read again from the handles.
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    if (op != nullptr) {
      for (size_t i = 0; i < op->arguments.size() && i + 1 < argc; i++) {
        const auto& spec = op->arguments[i];
        if (spec.type.kind != Kind::Tensor) continue;
        bool is_array = false;
        napi_is_array(env, args[i + 1], &is_array);
        if (!is_array) {
          if (Slot* slot = in.find(id_of(env, args[i + 1]))) tensors.emplace_back(spec.name, slot->tensor);
          continue;
        }
        uint32_t length = 0;
        napi_get_array_length(env, args[i + 1], &length);
        for (uint32_t k = 0; k < length && k < 16; k++) {
          napi_value element = nullptr;
          napi_get_element(env, args[i + 1], k, &element);
          if (Slot* slot = in.find(id_of(env, element))) tensors.emplace_back(spec.name + "[" + std::to_string(k) + "]", slot->tensor);
        }
      }
    }
    try {
      make_torch_error(in, op == nullptr ? nullptr : op->name.c_str(), tensors).ThrowAsJavaScriptException();
    } catch (const Napi::Error& e) {
      e.ThrowAsJavaScriptException();
    }
    stack.clear();
  }
  return nullptr;
}

}  // namespace

void define_dispatch(Instance& in, Napi::Object& exports) {
  define<operator_names>(in, exports, "operatorNames");
  define<overloads>(in, exports, "overloads");
  define<one_operator>(in, exports, "operator");
  define<drop_object>(in, exports, "dropObject");
  napi_value function = nullptr;
  napi_create_function(in.env, "call", NAPI_AUTO_LENGTH, call, &in, &function);
  exports.Set("call", Napi::Value(in.env, function));
}

}  // namespace foehn
