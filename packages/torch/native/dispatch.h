// Operators by name, called boxed: argument types come from the operator's own schema. No operator is known by name here.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <napi.h>

#include <string>
#include <vector>

#include "instance.h"

namespace foehn {

enum class Kind : uint8_t {
  Tensor, Int, Float, Scalar, Bool, Str, DType, Layout, MemoryFormat, Device, Generator, Complex, Object, Unsupported
};

// One schema type: T, T?, T[], T?[] or T[]?.
struct TypeSpec {
  Kind kind = Kind::Unsupported;
  bool list = false;
  bool optional = false;
  bool element_optional = false;
  int32_t fixed_length = 0;  // int[2] takes a single int for both
  std::string text() const;  // code for the TypeScript half, such as "?[2:i"
};

struct ArgumentSpec {
  std::string name;
  TypeSpec type;
  bool has_default = false;
  bool keyword_only = false;
  bool out = false;
  c10::IValue default_value;
};

struct ReturnSpec {
  TypeSpec type;
  int32_t alias_of = -1;  // the argument that is written to and returned
};

struct Operator {
  Operator(std::string full_name, c10::OperatorHandle op);
  std::string name;  // aten::add.Tensor
  c10::OperatorHandle handle;
  std::vector<ArgumentSpec> arguments;
  std::vector<ReturnSpec> returns;
  bool returns_nothing_new = true;  // all results are arguments
};

TypeSpec read_type(const c10::TypePtr& type, int32_t fixed_length = 0);

// convert.cc
c10::IValue to_ivalue(Instance& in, const TypeSpec& type, napi_value value, const Operator& op, const ArgumentSpec& argument);
napi_value from_ivalue(Instance& in, const c10::IValue& value, int32_t op);
napi_value int_to_js(napi_env env, int64_t value);

}  // namespace foehn
