// e^x by vectors. Included like tiles-generic.h, by the same files, after `Vec`; its `V` has the operators that GCC and
// Clang give vectors.

template <class Vec>
struct Exponential {
  using V = typename Vec::V;
  typedef std::int32_t Bits __attribute__((vector_size(sizeof(V))));

  static V all(float value) { return V{} + value; }

  // x where that is below `most`, or no number; else `most`.
  static V at_most(V x, float most) { return x > most ? all(most) : x; }
  static V at_least(V x, float least) { return x < least ? all(least) : x; }

  // The coefficient of the highest power first.
  template <class... Lower>
  static V polynomial(V x, float highest, Lower... lower) {
    V sum = all(highest);
    ((sum = Vec::multiply_add_vectors(sum, x, all(lower))), ...);
    return sum;
  }

  // At most two units in the last place from e^x, with what is below 2^-126 rounded to a subnormal number and what is beyond
  // float32 infinite; not a number of what is none. e^x = 2^n e^r: n is x / log 2 rounded, so r at most log(2) / 2, for
  // which a polynomial comes within 3e-9 of e^r.
  static V of(V x) {
    x = at_least(at_most(x, 89.0f), -104.0f);
    // What is added to this constant is rounded to an integer, which then lies in the lowest bits.
    constexpr float kRound = 0x1.8p23f;
    const V rounded = Vec::multiply_add(0x1.715476p0f, x, all(kRound));
    const V n = rounded - kRound;
    // log 2 in two parts, the first short enough that n times it is exact.
    V r = Vec::multiply_add(-0x1.63p-1f, n, x);
    r = Vec::multiply_add(0x1.bd0106p-13f, n, r);
    const V sum = polynomial(r, 0x1.6a2448p-10f, 0x1.1239d4p-7f, 0x1.5558f2p-5f, 0x1.555492p-3f, 0x1.fffffcp-2f);
    const V power = Vec::multiply_add_vectors(sum * r, r, r) + 1.0f;
    // 2^n as two factors, each of which is a number where 2^n is too large or too small to be one.
    const Bits exponent = (Bits)rounded - (Bits)all(kRound);
    const Bits half = exponent >> 1;
    return power * (V)((half + 127) << 23) * (V)((exponent - half + 127) << 23);
  }
};
