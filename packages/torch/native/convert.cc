// JavaScript values to IValues by schema type, and results back.
// The TypeScript half has already turned tensors into their handle numbers and dtype/layout/memory-format names into codes.
#include <ATen/core/List.h>
#include <c10/core/Device.h>
#include <c10/core/Scalar.h>

#include <cmath>
#include <sstream>

#include "compat.h"
#include "dispatch.h"

namespace foehn {

namespace {

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::Tensor: return "Tensor";
    case Kind::Int: return "int";
    case Kind::Float: return "float";
    case Kind::Scalar: return "Scalar";
    case Kind::Bool: return "bool";
    case Kind::Str: return "str";
    case Kind::DType: return "ScalarType";
    case Kind::Layout: return "Layout";
    case Kind::MemoryFormat: return "MemoryFormat";
    case Kind::Device: return "Device";
    case Kind::Generator: return "Generator";
    case Kind::Complex: return "complex";
    case Kind::Object: return "object of libtorch";
    default: return "unsupported type";
  }
}

std::string type_name(const TypeSpec& type) {
  std::string text = kind_name(type.kind);
  if (type.element_optional) text += "?";
  if (type.list) text += type.fixed_length > 0 ? "[" + std::to_string(type.fixed_length) + "]" : "[]";
  if (type.optional) text += "?";
  return text;
}

std::string js_name(napi_env env, napi_value value) {
  Napi::Value v(env, value);
  if (v.IsArray()) return "an array";
  if (v.IsNull()) return "null";
  switch (v.Type()) {
    case napi_number: return "the number " + v.ToString().Utf8Value();
    case napi_string: return "\"" + v.As<Napi::String>().Utf8Value() + "\"";
    case napi_boolean: return v.ToString().Utf8Value();
    case napi_bigint: return v.ToString().Utf8Value() + "n";
    case napi_undefined: return "undefined";
    default: return "an object";
  }
}

struct Reader {
  Instance& in;
  napi_env env;
  const Operator& op;
  const ArgumentSpec& argument;

  [[noreturn]] void refuse(napi_value value, const char* more = "") const {
    throw AddonError("ERR_TORCH_ARGUMENT", "argument '" + argument.name + "' (" + type_name(argument.type) + ") got " + js_name(env, value) + more);
  }

  napi_valuetype kind_of(napi_value value) const {
    napi_valuetype type = napi_undefined;
    napi_typeof(env, value, &type);
    return type;
  }

  bool is_none(napi_value value) const {
    const auto type = kind_of(value);
    return type == napi_null || type == napi_undefined;
  }

  bool is_list(napi_value value) const {
    bool yes = false;
    napi_is_array(env, value, &yes);
    return yes;
  }

  at::Tensor tensor(napi_value value) const {
    double id = 0;
    if (napi_get_value_double(env, value, &id) != napi_ok) refuse(value);
    return in.get(id);
  }

  int64_t integer(napi_value value) const {
    double number = 0;
    if (napi_get_value_double(env, value, &number) == napi_ok) {
      if (!(std::trunc(number) == number) || std::isinf(number)) refuse(value, "; an integer is needed");
      if (std::abs(number) >= 9223372036854775808.0) refuse(value, ", which does not fit 64 bits");
      return static_cast<int64_t>(number);
    }
    bool lossless = false;
    int64_t whole = 0;
    if (napi_get_value_bigint_int64(env, value, &whole, &lossless) == napi_ok) {
      if (!lossless) refuse(value, ", which does not fit 64 bits");
      return whole;
    }
    refuse(value);
  }

  double real(napi_value value) const {
    double number = 0;
    if (napi_get_value_double(env, value, &number) == napi_ok) return number;
    if (kind_of(value) == napi_bigint) return static_cast<double>(integer(value));
    refuse(value);
  }

  bool boolean(napi_value value) const {
    bool yes = false;
    if (napi_get_value_bool(env, value, &yes) != napi_ok) refuse(value);
    return yes;
  }

  std::string string(napi_value value) const {
    if (kind_of(value) != napi_string) refuse(value);
    return Napi::String(env, value).Utf8Value();
  }

  // JavaScript has one number type: a whole number becomes an int Scalar (it never widens an integer tensor), others a double.
  at::Scalar scalar(napi_value value) const {
    double number = 0;
    if (napi_get_value_double(env, value, &number) == napi_ok) {
      const bool whole = std::trunc(number) == number && std::abs(number) <= 9007199254740992.0 && !(number == 0 && std::signbit(number));
      return whole ? at::Scalar(static_cast<int64_t>(number)) : at::Scalar(number);
    }
    switch (kind_of(value)) {
      case napi_boolean: return at::Scalar(boolean(value));
      case napi_bigint: return at::Scalar(integer(value));
      case napi_object: return at::Scalar(complex(value));
      default: refuse(value);
    }
  }

  c10::complex<double> complex(napi_value value) const {
    double number = 0;
    if (napi_get_value_double(env, value, &number) == napi_ok) return {number, 0};
    if (kind_of(value) != napi_object) refuse(value);
    Napi::Object object(env, value);
    if (!object.Has("re") || !object.Has("im")) refuse(value, "; a complex number is { re, im }");
    return {object.Get("re").ToNumber().DoubleValue(), object.Get("im").ToNumber().DoubleValue()};
  }

  at::Generator generator(napi_value value) const {
    const int64_t index = integer(value);
    if (index < 0 || static_cast<size_t>(index) >= in.generators.size()) refuse(value);
    return in.generators[static_cast<size_t>(index)];
  }

  c10::IValue one(Kind kind, napi_value value) const {
    switch (kind) {
      case Kind::Tensor: return tensor(value);
      case Kind::Int:
      case Kind::DType:
      case Kind::Layout:
      case Kind::MemoryFormat: return integer(value);
      case Kind::Float: return real(value);
      case Kind::Scalar: return scalar(value);
      case Kind::Bool: return boolean(value);
      case Kind::Str: return string(value);
      case Kind::Device: return c10::Device(string(value));
      case Kind::Generator: return generator(value);
      case Kind::Complex: return complex(value);
      case Kind::Object: return object(value);
      default: throw AddonError("ERR_TORCH_ARGUMENT", "argument '" + argument.name + "' has a type that JavaScript cannot give; leave it out");
    }
  }

  c10::IValue object(napi_value value) const {
    void* data = nullptr;
    if (kind_of(value) != napi_external || napi_get_value_external(env, value, &data) != napi_ok || data == nullptr) refuse(value);
    const auto& held = *static_cast<c10::IValue*>(data);
    if (!held.isObject()) refuse(value, ", which was disposed");
    return held;
  }

  template <class T, class Read>
  c10::List<T> list(napi_value value, Read read) const {
    uint32_t length = 0;
    napi_get_array_length(env, value, &length);
    c10::List<T> out;
    out.reserve(length);
    for (uint32_t i = 0; i < length; i++) {
      napi_value element = nullptr;
      napi_get_element(env, value, i, &element);
      out.push_back(read(element));
    }
    return out;
  }

  c10::IValue list(const TypeSpec& type, napi_value value) const {
    if (!is_list(value)) {
      if (type.fixed_length == 0) refuse(value, "; a list is needed");
      const auto length = static_cast<size_t>(type.fixed_length);
      switch (type.kind) {
        case Kind::Int: { c10::List<int64_t> out; out.resize(length, integer(value)); return out; }
        case Kind::Float: { c10::List<double> out; out.resize(length, real(value)); return out; }
        case Kind::Bool: { c10::List<bool> out; out.resize(length, boolean(value)); return out; }
        default: refuse(value, "; a list is needed");
      }
    }
    switch (type.kind) {
      case Kind::Tensor:
        if (type.element_optional)
          return list<Optional<at::Tensor>>(value, [&](napi_value e) { return is_none(e) ? Optional<at::Tensor>() : Optional<at::Tensor>(tensor(e)); });
        return list<at::Tensor>(value, [&](napi_value e) { return tensor(e); });
      case Kind::Int: return list<int64_t>(value, [&](napi_value e) { return integer(e); });
      case Kind::Float: return list<double>(value, [&](napi_value e) { return real(e); });
      case Kind::Bool: return list<bool>(value, [&](napi_value e) { return boolean(e); });
      case Kind::Str: return list<std::string>(value, [&](napi_value e) { return string(e); });
      case Kind::Scalar: return list<at::Scalar>(value, [&](napi_value e) { return scalar(e); });
      default: throw AddonError("ERR_TORCH_ARGUMENT", "argument '" + argument.name + "' has a type that JavaScript cannot give; leave it out");
    }
  }
};

napi_value number_to_js(napi_env env, double value) {
  napi_value out = nullptr;
  napi_create_double(env, value, &out);
  return out;
}

}  // namespace

napi_value int_to_js(napi_env env, int64_t value) {
  napi_value out = nullptr;
  if (value > 9007199254740991LL || value < -9007199254740991LL) napi_create_bigint_int64(env, value, &out);
  else napi_create_int64(env, value, &out);
  return out;
}

c10::IValue to_ivalue(Instance& in, const TypeSpec& type, napi_value value, const Operator& op, const ArgumentSpec& argument) {
  const Reader read{in, in.env, op, argument};
  if (type.optional && read.is_none(value)) return c10::IValue();
  return type.list ? read.list(type, value) : read.one(type.kind, value);
}

// Tensors come back as handle numbers; the TypeScript half knows from the schema which numbers are handles.
napi_value from_ivalue(Instance& in, const c10::IValue& value, int32_t op) {
  napi_env env = in.env;
  napi_value out = nullptr;
  if (value.isTensor()) {
    const double id = in.add(value.toTensor(), op);
    if (id != 0) return number_to_js(env, id);
    napi_get_null(env, &out);
    return out;
  }
  if (value.isInt()) return int_to_js(env, value.toInt());
  if (value.isDouble()) return number_to_js(env, value.toDouble());
  if (value.isBool()) { napi_get_boolean(env, value.toBool(), &out); return out; }
  if (value.isNone()) { napi_get_null(env, &out); return out; }
  if (value.isString()) return Napi::String::New(env, value.toStringRef());
  if (value.isDevice()) return Napi::String::New(env, value.toDevice().str());
  if (value.isComplexDouble()) {
    auto number = value.toComplexDouble();
    auto object = Napi::Object::New(env);
    object.Set("re", number.real());
    object.Set("im", number.imag());
    return object;
  }
  if (value.isObject()) {  // lives until JavaScript's collector finds it, or `dropObject`
    return Napi::External<c10::IValue>::New(env, new c10::IValue(value), [](Napi::Env, c10::IValue* held) { delete held; });
  }
  if (value.isList()) {
    const auto list = value.toListRef();
    napi_create_array_with_length(env, list.size(), &out);
    for (size_t i = 0; i < list.size(); i++) napi_set_element(env, out, static_cast<uint32_t>(i), from_ivalue(in, list[i], op));
    return out;
  }
  if (value.isTuple()) {
    const auto& elements = value.toTupleRef().elements();
    napi_create_array_with_length(env, elements.size(), &out);
    for (size_t i = 0; i < elements.size(); i++) napi_set_element(env, out, static_cast<uint32_t>(i), from_ivalue(in, elements[i], op));
    return out;
  }
  if (value.isSymInt()) {
    auto whole = value.toSymInt();
    return int_to_js(env, symint_value(whole));
  }
  if (value.isGenerator()) {
    in.generators.push_back(value.toGenerator());
    return int_to_js(env, static_cast<int64_t>(in.generators.size()) - 1);
  }
  throw AddonError("ERR_TORCH_RESULT", "a result of type " + value.tagKind() + " has no counterpart in JavaScript");
}

}  // namespace foehn
