// What JavaScript sees of the addon; kernels/native.ts says what each function does.
#include <node_api.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "background.h"
#include "cuda-call.h"
#include "instruction-sets.h"
#include "operation.h"
#include "row-write.h"
#include "scan.h"
#include "thread-pool.h"

namespace {

napi_value text(napi_env env, const std::string& value) {
  napi_value result;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

double number(napi_env env, napi_value value) {
  double result = 0;
  napi_get_value_double(env, value, &result);
  return result;
}

napi_value to_number(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
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

std::size_t count_threads() {
  const char* asked = std::getenv("TF_NUM_INTRAOP_THREADS");
  const int threads = asked == nullptr ? 0 : std::atoi(asked);
  return threads > 0 ? static_cast<std::size_t>(threads) : std::thread::hardware_concurrency();
}

// As many threads as TensorFlow's own operations may use. Asking the system takes longer than many an operation.
std::size_t thread_count() {
  static const std::size_t count = count_threads();
  return count;
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
bool has_background() { return thread_count() > 1; }

napi_value use_background(napi_env env, napi_callback_info info) {
  bool wanted = false;
  napi_get_value_bool(env, only_argument(env, info), &wanted);
  bergson::Background::wanted() = wanted && has_background();
  return nullptr;
}

napi_value await_background(napi_env, napi_callback_info) {
  bergson::Background::instance().wait(SIZE_MAX);
  return nullptr;
}

// A value that JavaScript passes back, for `T` that lives as long as it does.
template <class T>
napi_value external(napi_env env, T value) {
  napi_value result;
  const auto free = [](napi_env, void* data, void*) { delete static_cast<T*>(data); };
  napi_create_external(env, new T(std::move(value)), free, nullptr, &result);
  return result;
}

std::size_t length_of(napi_env env, napi_value array) {
  std::uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  return length;
}

napi_value element(napi_env env, napi_value array, std::size_t index) {
  napi_value value;
  napi_get_element(env, array, static_cast<std::uint32_t>(index), &value);
  return value;
}

// Arguments: descriptor, positions, the program's integers and reals, width, factor, and, alike in number, descriptors, positions
// and bytes of what is written afterwards.
napi_value prepare_row_write(napi_env env, napi_callback_info info) {
  std::size_t count = 9;
  napi_value arguments[9];
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (count < 9) {
    napi_throw_error(env, nullptr, "prepareRowWrite takes nine arguments");
    return nullptr;
  }
  auto write = std::make_shared<bergson::RowWrite>();
  std::size_t size = 0;
  write->descriptor = static_cast<int>(number(env, arguments[0]));
  const double* positions = numbers<double>(env, arguments[1], &size);
  write->positions.assign(positions, positions + size);
  const std::int32_t* integers = numbers<std::int32_t>(env, arguments[2], &size);
  write->program.integers.assign(integers, integers + size);
  const double* reals = numbers<double>(env, arguments[3], &size);
  write->program.reals.assign(reals, reals + size);
  write->later = has_background();
  write->width = static_cast<std::size_t>(number(env, arguments[4]));
  write->factor = number(env, arguments[5]);
  for (std::size_t i = 0; i < length_of(env, arguments[6]); i++) {
    const std::uint8_t* bytes = numbers<std::uint8_t>(env, element(env, arguments[8], i), &size);
    write->after.push_back({static_cast<int>(number(env, element(env, arguments[6], i))),
                            static_cast<std::int64_t>(number(env, element(env, arguments[7], i))),
                            std::vector<std::uint8_t>(bytes, bytes + size)});
  }
  bergson::prepare_row_write(write);
  return external(env, std::move(write));
}

// Waits for a write. Null if it is written, else [what happened, where, with which value], as RowOutcome.
napi_value row_outcome(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_value_external(env, only_argument(env, info), &data);
  const bergson::RowWrite& write = **static_cast<std::shared_ptr<bergson::RowWrite>*>(data);
  bergson::Background::instance().wait(write.jobs);
  const bergson::RowOutcome& outcome = write.outcome;
  napi_value result;
  if (outcome.kind == bergson::RowOutcome::kWritten) {
    napi_get_null(env, &result);
    return result;
  }
  napi_create_array_with_length(env, 3, &result);
  const double facts[] = {static_cast<double>(outcome.kind), static_cast<double>(outcome.at), outcome.value};
  for (std::uint32_t i = 0; i < 3; i++) napi_set_element(env, result, i, to_number(env, facts[i]));
  return result;
}

// TensorFlow's memory must not go while a job reads it.
void finish_background(void*) { bergson::Background::instance().wait(SIZE_MAX); }

}  // namespace

NAPI_MODULE_INIT() {
  bergson::ThreadPool::instance().set_threads(thread_count());
  bergson::Background::instance().set_threads(thread_count());
  napi_add_env_cleanup_hook(env, finish_background, nullptr);
  const napi_property_descriptor properties[] = {
      {"instructionSets", nullptr, nullptr, nullptr, nullptr, instruction_sets(env), napi_enumerable, nullptr},
      {"registerOperations", nullptr, register_operations, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"scan", nullptr, scan, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useInstructionSet", nullptr, use_instruction_set, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"cudaProblem", nullptr, cuda_problem, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useBackground", nullptr, use_background, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"prepareRowWrite", nullptr, prepare_row_write, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"rowOutcome", nullptr, row_outcome, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"awaitBackground", nullptr, await_background, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"useCuda", nullptr, use_cuda, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
