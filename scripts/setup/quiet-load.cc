// Keeps TensorFlow's informational log lines off stderr while its libraries load: they are written by static
// initializers, before TF_CPP_MIN_LOG_LEVEL counts. Warnings and errors written meanwhile come out afterwards.
//
// Built twice: with -DQUIET_BEGIN as a library that is initialized before TensorFlow's, and without it into the
// binding, which is initialized after them. glibc only (linked with -z initfirst).
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#ifdef QUIET_BEGIN

static int saved = -1;
static int captured = -1;

__attribute__((constructor)) static void begin() {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  if (level == nullptr || level[0] == '0') return;
  captured = memfd_create("tensorflow-load", MFD_CLOEXEC);
  if (captured < 0) return;
  saved = dup(STDERR_FILENO);
  if (saved < 0 || dup2(captured, STDERR_FILENO) < 0) {
    close(captured);
    captured = -1;
  }
}

// absl's format: severity letter, then month and day.
static bool is_information(const std::string& line) {
  if (line.rfind("WARNING: All log messages before absl::InitializeLog()", 0) == 0) return true;
  return line.size() > 5 && line[0] == 'I' && line.find_first_not_of("0123456789", 1) == 5;
}

static void write_to_stderr(const std::string& text) {
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

extern "C" void bergson_quiet_end() {
  if (captured < 0) return;
  dup2(saved, STDERR_FILENO);
  close(saved);
  lseek(captured, 0, SEEK_SET);
  std::string line;
  for (char next; read(captured, &next, 1) == 1;) {
    line += next;
    if (next != '\n') continue;
    if (!is_information(line)) write_to_stderr(line);
    line.clear();
  }
  write_to_stderr(line);
  close(captured);
  captured = -1;
}

#else

extern "C" void bergson_quiet_end();

__attribute__((constructor)) static void end() { bergson_quiet_end(); }

#endif
