// What JavaScript sees of the addon; kernels/native.ts says what each function does.
#include <node_api.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "cuda-call.h"
#include "instruction-sets.h"
#include "operation.h"
#include "thread-pool.h"

namespace {

napi_value text(napi_env env, const std::string& value) {
  napi_value result;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

napi_value only_argument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  return argument;
}

napi_value instruction_sets(napi_env env) {
  napi_value result;
  napi_create_array(env, &result);
  uint32_t index = 0;
  for (const std::string& name : bergson::instruction_sets()) napi_set_element(env, result, index++, text(env, name));
  return result;
}

// As many threads as TensorFlow's own operations may use.
std::size_t thread_count() {
  const char* asked = std::getenv("TF_NUM_INTRAOP_THREADS");
  const int threads = asked == nullptr ? 0 : std::atoi(asked);
  return threads > 0 ? static_cast<std::size_t>(threads) : std::thread::hardware_concurrency();
}

napi_value use_instruction_set(napi_env env, napi_callback_info info) {
  char name[32] = "";
  napi_get_value_string_utf8(env, only_argument(env, info), name, sizeof name, nullptr);
  napi_value result;
  napi_get_boolean(env, bergson::use_instruction_set(name), &result);
  return result;
}

// What a function that may throw says when it does; empty where it does not.
template <class Function>
napi_value complaint(napi_env env, const Function& function) {
  try {
    function();
    return text(env, "");
  } catch (const bergson::CudaError& error) {
    return text(env, error.what());
  }
}

napi_value cuda_problem(napi_env env, napi_callback_info) { return complaint(env, bergson::check_cuda); }

napi_value use_cuda(napi_env env, napi_callback_info info) {
  char library[4096] = "";
  napi_get_value_string_utf8(env, only_argument(env, info), library, sizeof library, nullptr);
  return complaint(env, [&] { bergson::use_cuda(library); });
}

}  // namespace

NAPI_MODULE_INIT() {
  bergson::ThreadPool::instance().set_threads(thread_count());
  const std::string failure = bergson::register_operations();
  if (!failure.empty()) {
    napi_throw_error(env, nullptr, failure.c_str());
    return nullptr;
  }
  const napi_property_descriptor properties[] = {
      {"instructionSets", nullptr, nullptr, nullptr, nullptr, instruction_sets(env), napi_enumerable, nullptr},
      {"useInstructionSet", nullptr, use_instruction_set, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"cudaProblem", nullptr, cuda_problem, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useCuda", nullptr, use_cuda, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
