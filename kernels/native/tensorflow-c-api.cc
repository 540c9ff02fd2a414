#include "tensorflow-c-api.h"

#include <dlfcn.h>
#if defined(__linux__)
#include <link.h>
#endif

#include <vector>

namespace bergson {
namespace {

#if defined(__linux__)
int add_library(dl_phdr_info* info, std::size_t, void* names) {
  const std::string name = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  if (name.find("libtensorflow") != std::string::npos) static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

// Handles of the TensorFlow libraries this process has loaded; the loader keeps them, so they are not closed.
std::vector<void*> loaded_libraries() {
  std::vector<std::string> names;
  dl_iterate_phdr(add_library, &names);
  std::vector<void*> handles;
  for (const std::string& name : names) {
    if (void* handle = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY)) handles.push_back(handle);
  }
  return handles;
}
#else
std::vector<void*> loaded_libraries() { return {RTLD_DEFAULT}; }
#endif

}  // namespace

std::string find_tensorflow(TensorFlow& functions) {
  const std::vector<void*> libraries = loaded_libraries();
  if (libraries.empty()) return "no TensorFlow library is loaded";
  std::string missing;
  const auto find = [&](const char* name, auto& function) {
    void* symbol = nullptr;
    for (void* library : libraries) {
      if (symbol == nullptr) symbol = dlsym(library, name);
    }
    if (symbol == nullptr) missing = std::string("the loaded TensorFlow has no ") + name;
    function = reinterpret_cast<std::decay_t<decltype(function)>>(symbol);
  };
#define BERGSON_FIND(result, name, arguments) find(#name, functions.name);
  BERGSON_TENSORFLOW_FUNCTIONS(BERGSON_FIND)
#undef BERGSON_FIND
  return missing;
}

}  // namespace bergson
