// What can be asked of one tensor without an operator, and its data from and to typed arrays.
#include <ATen/ATen.h>

#include <atomic>
#include <cstring>

#include "bind.h"
#include "dispatch.h"

namespace foehn {
namespace {

// Sizes go through the shared counters: cheaper than building an array here.
Napi::Value write_ints(Instance& in, const Napi::CallbackInfo& info, at::IntArrayRef values) {
  if (values.size() > kCounterLength - kScratch) throw AddonError("ERR_TORCH_SHAPE", "more than 64 dimensions");
  for (size_t i = 0; i < values.size(); i++) in.counters[kScratch + i] = static_cast<double>(values[i]);
  return Napi::Number::New(info.Env(), static_cast<double>(values.size()));
}

Napi::Value sizes(Instance& in, const Napi::CallbackInfo& info) { return write_ints(in, info, in.get(id_of(info, 0)).sizes()); }
Napi::Value strides(Instance& in, const Napi::CallbackInfo& info) { return write_ints(in, info, in.get(id_of(info, 0)).strides()); }

Napi::Value dtype(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(in.get(id_of(info, 0)).scalar_type()));
}

Napi::Value device(Instance& in, const Napi::CallbackInfo& info) {
  const auto& tensor = in.get(id_of(info, 0));
  return Napi::String::New(info.Env(), tensor.is_cpu() ? "cpu" : tensor.device().str());
}

Napi::Value layout(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(in.get(id_of(info, 0)).layout()));
}

Napi::Value numel(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(in.get(id_of(info, 0)).numel()));
}

Napi::Value storage_offset(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(in.get(id_of(info, 0)).storage_offset()));
}

Napi::Value storage_address(Instance& in, const Napi::CallbackInfo& info) {  // to see whether two tensors share memory
  const auto& tensor = in.get(id_of(info, 0));
  if (!tensor.has_storage()) return info.Env().Null();
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(reinterpret_cast<uintptr_t>(tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl())));
}

Napi::Value is_contiguous(Instance& in, const Napi::CallbackInfo& info) {
  const auto format = static_cast<at::MemoryFormat>(info[1].IsNumber() ? info[1].ToNumber().Int32Value() : 0);
  return Napi::Boolean::New(info.Env(), in.get(id_of(info, 0)).is_contiguous(format));
}

Napi::Value item(Instance& in, const Napi::CallbackInfo& info) {
  const auto& tensor = in.get(id_of(info, 0));
  if (tensor.numel() != 1)
    throw AddonError("ERR_TORCH_ITEM", "item() needs a tensor of one element, this one is " + describe(tensor) + "; use toArray() or toTypedArray()");
  const at::Scalar value = tensor.item();
  if (value.isBoolean()) return Napi::Number::New(info.Env(), value.toBool() ? 1 : 0);
  if (value.isIntegral(false)) {
    const int64_t whole = value.toLong();
    if (whole > 9007199254740991LL || whole < -9007199254740991LL)
      throw AddonError("ERR_TORCH_ITEM", "item() " + std::to_string(whole) + " does not fit a JavaScript number; use toTypedArray(), which gives a BigInt64Array");
    return Napi::Number::New(info.Env(), static_cast<double>(whole));
  }
  if (value.isComplex()) throw AddonError("ERR_TORCH_ITEM", "item() of a complex tensor; use toTypedArray(), which gives real and imaginary parts in turn");
  return Napi::Number::New(info.Env(), value.toDouble());
}

// fromData(array, dtype code of its elements, shape, share, flag): the last one is an Int32Array or undefined; its first element becomes
// 1 when the last tensor over the array's memory is gone, so that the memory can be filled again.
Napi::Value from_data(Instance& in, const Napi::CallbackInfo& info) {
  auto array = info[0].As<Napi::TypedArray>();
  const auto type = static_cast<at::ScalarType>(info[1].ToNumber().Int32Value());
  const auto shape = ints_of(info[2]);
  const bool share = info[3].ToBoolean();
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0) throw AddonError("ERR_TORCH_SHAPE", "a size may not be negative");
    count *= size;
  }
  const auto needed = static_cast<size_t>(count) * c10::elementSize(type);
  if (needed != array.ByteLength())
    throw AddonError("ERR_TORCH_SHAPE", "the array has " + std::to_string(array.ByteLength()) + " bytes, the shape needs " + std::to_string(needed));
  napi_typedarray_type ignored_type;
  size_t ignored_length = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  size_t offset = 0;
  napi_get_typedarray_info(in.env, array, &ignored_type, &ignored_length, &data, &buffer, &offset);
  const auto options = at::TensorOptions().dtype(type);
  if (!share || count == 0) {
    at::Tensor out = at::empty(shape, options);
    if (needed > 0) std::memcpy(out.data_ptr(), data, needed);
    return Napi::Number::New(info.Env(), in.add(std::move(out)));
  }
  std::atomic<int32_t>* flag = nullptr;
  napi_ref flag_ref = nullptr;
  if (info.Length() > 4 && info[4].IsTypedArray()) {
    static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "a flag is one element");
    void* flag_data = nullptr;
    napi_get_typedarray_info(in.env, info[4], &ignored_type, &ignored_length, &flag_data, &buffer, &offset);
    if (ignored_type != napi_int32_array || ignored_length < 1) throw AddonError("ERR_TORCH_ARGUMENT", "the flag has to be an Int32Array");
    flag = static_cast<std::atomic<int32_t>*>(flag_data);
    flag->store(0);
    napi_create_reference(in.env, info[4], 1, &flag_ref);
  }
  napi_ref ref = nullptr;
  napi_create_reference(in.env, array, 1, &ref);
  auto keeper = in.buffers;
  napi_env env = in.env;
  auto drop = [keeper, ref, flag, flag_ref, env](void*) {
    std::unique_lock<std::mutex> lock(keeper->mutex);
    if (keeper->closed) return;
    if (flag != nullptr) flag->store(1);
    if (std::this_thread::get_id() != keeper->owner) {
      keeper->dropped.push_back(ref);
      if (flag_ref != nullptr) keeper->dropped.push_back(flag_ref);
      return;
    }
    lock.unlock();
    napi_delete_reference(env, ref);
    if (flag_ref != nullptr) napi_delete_reference(env, flag_ref);
  };
  return Napi::Number::New(info.Env(), in.add(at::from_blob(data, shape, drop, options)));
}

at::Tensor plain(const at::Tensor& tensor) {
  at::NoGradGuard no_grad;
  at::Tensor out = tensor.detach();
  if (out.layout() != at::kStrided) out = out.to_dense();
  out = out.resolve_conj().resolve_neg();
  if (out.scalar_type() == at::kHalf || out.scalar_type() == at::kBFloat16) out = out.to(at::kFloat);
  return out.to(at::kCPU).contiguous();
}

Napi::Value copy_out(Instance& in, const Napi::CallbackInfo& info) {  // copyOut(id, typed array)
  at::Tensor source = plain(in.get(id_of(info, 0)));
  auto array = info[1].As<Napi::TypedArray>();
  if (array.ByteLength() != source.nbytes()) throw AddonError("ERR_TORCH_SHAPE", "the array does not have the tensor's size");
  if (source.nbytes() == 0) return info.Env().Undefined();
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  size_t offset = 0;
  napi_get_typedarray_info(in.env, array, &type, &length, &data, &buffer, &offset);
  std::memcpy(data, source.data_ptr(), source.nbytes());
  return info.Env().Undefined();
}

// An ArrayBuffer over the tensor's own memory; null where the layout does not allow it.
Napi::Value memory(Instance& in, const Napi::CallbackInfo& info) {
  const auto& tensor = in.get(id_of(info, 0));
  if (!tensor.is_cpu() || tensor.layout() != at::kStrided || !tensor.is_contiguous() || tensor.is_conj() || tensor.is_neg() || tensor.numel() == 0)
    return info.Env().Null();
  auto* held = new at::Tensor(tensor);
  napi_value out = nullptr;
  const auto status = napi_create_external_arraybuffer(
      in.env, tensor.data_ptr(), tensor.nbytes(), [](napi_env, void*, void* hint) { delete static_cast<at::Tensor*>(hint); }, held, &out);
  if (status != napi_ok) {  // runtimes with a memory cage forbid it
    delete held;
    return info.Env().Null();
  }
  return Napi::Value(in.env, out);
}

}  // namespace

void define_tensor(Instance& in, Napi::Object& exports) {
  define<sizes>(in, exports, "sizes");
  define<strides>(in, exports, "strides");
  define<dtype>(in, exports, "dtype");
  define<device>(in, exports, "device");
  define<layout>(in, exports, "layout");
  define<numel>(in, exports, "numel");
  define<storage_offset>(in, exports, "storageOffset");
  define<storage_address>(in, exports, "storageAddress");
  define<is_contiguous>(in, exports, "isContiguous");
  define<item>(in, exports, "item");
  define<from_data>(in, exports, "fromData");
  define<copy_out>(in, exports, "copyOut");
  define<memory>(in, exports, "memory");
}

}  // namespace foehn
