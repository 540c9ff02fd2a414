// The part of TensorFlow's C API that the addon uses: prototypes of our own, bound by name to the library that the
// process has loaded. Building needs no TensorFlow, and one addon serves several versions of it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

extern "C" {
struct TF_Status;
struct TF_Tensor;
struct TF_OpDefinitionBuilder;
struct TF_KernelBuilder;
struct TF_OpKernelConstruction;
struct TF_OpKernelContext;
struct TF_AllocatorAttributes {
  size_t struct_size;
  unsigned char on_host;
};
}

namespace bergson {

// From tf_datatype.h and tf_status.h; part of the library's binary interface.
constexpr int kFloat = 1;
constexpr int kOk = 0;
constexpr int kInvalidArgument = 3;
constexpr int kInternal = 13;
// Bytes of TF_AllocatorAttributes up to the end of its last member.
constexpr size_t kAllocatorAttributesBytes = offsetof(TF_AllocatorAttributes, on_host) + 1;

// X(result, name, arguments)
#define BERGSON_TENSORFLOW_FUNCTIONS(X)                                                                              \
  X(TF_Status*, TF_NewStatus, ())                                                                                    \
  X(void, TF_DeleteStatus, (TF_Status*))                                                                             \
  X(void, TF_SetStatus, (TF_Status*, int code, const char* message))                                                 \
  X(int, TF_GetCode, (const TF_Status*))                                                                             \
  X(const char*, TF_Message, (const TF_Status*))                                                                     \
  X(int, TF_NumDims, (const TF_Tensor*))                                                                             \
  X(int64_t, TF_Dim, (const TF_Tensor*, int axis))                                                                   \
  X(void*, TF_TensorData, (const TF_Tensor*))                                                                        \
  X(void, TF_DeleteTensor, (TF_Tensor*))                                                                             \
  X(TF_OpDefinitionBuilder*, TF_NewOpDefinitionBuilder, (const char* name))                                          \
  X(void, TF_OpDefinitionBuilderAddInput, (TF_OpDefinitionBuilder*, const char* spec))                               \
  X(void, TF_OpDefinitionBuilderAddOutput, (TF_OpDefinitionBuilder*, const char* spec))                              \
  X(void, TF_OpDefinitionBuilderAddAttr, (TF_OpDefinitionBuilder*, const char* spec))                                \
  X(void, TF_RegisterOpDefinition, (TF_OpDefinitionBuilder*, TF_Status*))                                            \
  X(TF_KernelBuilder*, TF_NewKernelBuilder,                                                                          \
    (const char* op, const char* device, void* (*create)(TF_OpKernelConstruction*),                                  \
     void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*)))                                           \
  X(void, TF_RegisterKernelBuilder, (const char* name, TF_KernelBuilder*, TF_Status*))                               \
  X(void, TF_OpKernelConstruction_GetAttrInt64List,                                                                  \
    (TF_OpKernelConstruction*, const char* name, int64_t* values, int count, TF_Status*))                            \
  X(void, TF_OpKernelConstruction_GetAttrFloat,                                                                      \
    (TF_OpKernelConstruction*, const char* name, float* value, TF_Status*))                                          \
  X(void, TF_OpKernelConstruction_GetAttrBool,                                                                       \
    (TF_OpKernelConstruction*, const char* name, unsigned char* value, TF_Status*))                                  \
  X(void, TF_OpKernelConstruction_GetAttrString,                                                                     \
    (TF_OpKernelConstruction*, const char* name, char* value, size_t most, TF_Status*))                              \
  X(void, TF_OpKernelConstruction_Failure, (TF_OpKernelConstruction*, TF_Status*))                                   \
  X(int, TF_NumInputs, (TF_OpKernelContext*))                                                                        \
  X(void, TF_GetInput, (TF_OpKernelContext*, int index, TF_Tensor**, TF_Status*))                                    \
  X(TF_Tensor*, TF_AllocateOutput,                                                                                   \
    (TF_OpKernelContext*, int index, int type, const int64_t* shape, int rank, size_t bytes, TF_Status*))            \
  X(TF_Tensor*, TF_AllocateTemp,                                                                                     \
    (TF_OpKernelContext*, int type, const int64_t* shape, int rank, TF_AllocatorAttributes*, TF_Status*))            \
  X(void, TF_OpKernelContext_Failure, (TF_OpKernelContext*, TF_Status*))

struct TensorFlow {
#define BERGSON_MEMBER(result, name, arguments) result(*name) arguments = nullptr;
  BERGSON_TENSORFLOW_FUNCTIONS(BERGSON_MEMBER)
#undef BERGSON_MEMBER
};

// Binds every function to the TensorFlow that this process has loaded; empty, or why it cannot.
std::string find_tensorflow(TensorFlow& functions);

}  // namespace bergson
