// What JavaScript sees of the addon; kernels/native.ts says what each function does.
#include <node_api.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "background.h"
#include "cuda-call.h"
#include "instruction-sets.h"
#include "operation.h"
#include "scan.h"
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

napi_value register_operations(napi_env env, napi_callback_info) {
  return text(env, bergson::register_operations());
}

// The numbers of a typed array; null where it is empty.
template <class Number>
Number* numbers(napi_env env, napi_value array, std::size_t* count = nullptr) {
  void* data = nullptr;
  std::size_t length = 0;
  napi_get_typedarray_info(env, array, nullptr, &length, &data, nullptr, nullptr);
  if (count != nullptr) *count = length;
  return length == 0 ? nullptr : static_cast<Number*>(data);
}

napi_value scan(napi_env env, napi_callback_info info) {
  std::size_t count = 12;
  napi_value arguments[12];
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (count < 12) {
    napi_throw_error(env, nullptr, "scan takes twelve arrays");
    return nullptr;
  }
  std::int32_t* facts = numbers<std::int32_t>(env, arguments[0]);
  bergson::Scan scan = {};
  const std::size_t first = static_cast<std::size_t>(facts[0]);
  scan.count = static_cast<std::size_t>(facts[1]);
  scan.width = static_cast<std::size_t>(facts[2]);
  scan.half = facts[3] != 0;
  scan.unit_norm = facts[4] != 0;
  scan.query_count = static_cast<std::size_t>(facts[5]);
  scan.strip = static_cast<std::size_t>(facts[6]);
  scan.columns = static_cast<std::size_t>(facts[7]);
  scan.rows = numbers<std::uint8_t>(env, arguments[1]);
  scan.written = numbers<std::uint8_t>(env, arguments[2]);
  scan.factors = numbers<float>(env, arguments[3]);
  scan.ranges = numbers<std::uint32_t>(env, arguments[4], &scan.range_count);
  scan.range_count /= 2;
  scan.queries = numbers<float>(env, arguments[5]);
  scan.highest = numbers<float>(env, arguments[6]);
  scan.lowest = numbers<float>(env, arguments[7]);
  scan.margins = numbers<float>(env, arguments[8]);
  scan.residual_margins = numbers<float>(env, arguments[9]);
  scan.residuals = numbers<float>(env, arguments[10]);
  scan.hits = numbers<bergson::Hit>(env, arguments[11], &scan.capacity);
  scan.capacity /= sizeof(bergson::Hit) / sizeof(float);
  const bergson::Scanned scanned = bergson::scan(scan, first);
  facts[0] = static_cast<std::int32_t>(scanned.next);
  napi_value hits;
  napi_create_uint32(env, static_cast<std::uint32_t>(scanned.hits), &hits);
  return hits;
}

// On one processor there is nobody to leave work to.
napi_value use_background(napi_env env, napi_callback_info info) {
  bool wanted = false;
  napi_get_value_bool(env, only_argument(env, info), &wanted);
  bergson::Background::wanted() = wanted && thread_count() > 1;
  return nullptr;
}

napi_value await_background(napi_env, napi_callback_info) {
  bergson::Background::instance().wait();
  return nullptr;
}

// TensorFlow's memory must not go while a job reads it.
void finish_background(void*) { bergson::Background::instance().wait(); }

}  // namespace

NAPI_MODULE_INIT() {
  bergson::ThreadPool::instance().set_threads(thread_count());
  napi_add_env_cleanup_hook(env, finish_background, nullptr);
  const napi_property_descriptor properties[] = {
      {"instructionSets", nullptr, nullptr, nullptr, nullptr, instruction_sets(env), napi_enumerable, nullptr},
      {"registerOperations", nullptr, register_operations, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"scan", nullptr, scan, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useInstructionSet", nullptr, use_instruction_set, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"cudaProblem", nullptr, cuda_problem, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useBackground", nullptr, use_background, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"awaitBackground", nullptr, await_background, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useCuda", nullptr, use_cuda, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
