// Eight floats in an AVX2 register, for tiles-generic.h. Included like that file.
struct Ymm {
  using V = __m256;
  using Mask = __m256i;
  static constexpr std::size_t kWidth = 8;
  static V zero() { return _mm256_setzero_ps(); }
  static V load(const float* from) { return _mm256_loadu_ps(from); }
  static V widen(const std::uint16_t* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static void store(float* to, V value) { _mm256_storeu_ps(to, value); }
  static Mask first(std::size_t count) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lanes);
  }
  static V load_first(const float* from, Mask mask) { return _mm256_maskload_ps(from, mask); }
  static void store_first(float* to, Mask mask, V value) { _mm256_maskstore_ps(to, mask, value); }
  static V multiply_add(float a, V b, V sum) { return _mm256_fmadd_ps(_mm256_set1_ps(a), b, sum); }
  static V multiply_add_vectors(V a, V b, V sum) { return _mm256_fmadd_ps(a, b, sum); }
  static V inverse_root(V x, float correction, float epsilon) {
    const V root = _mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(correction), x));
    return _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_add_ps(root, _mm256_set1_ps(epsilon)));
  }
};
