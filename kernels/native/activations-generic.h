// Activation functions and their gradients, element by element. Included like exponential-generic.h, after it and
// rows-generic.h.

// A function's derivative at x, and what part of x its value is.
template <class Vec>
struct Slope {
  typename Vec::V derivative;
  typename Vec::V part;
};

// x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class Vec>
struct GeluTanh {
  using E = Exponential<Vec>;
  using V = typename Vec::V;
  static constexpr float kSlope = 1.5957691216057308f;
  static constexpr float kCubic = 0.044715f * kSlope;

  static V twice_u(V x) { return x * (x * x * kCubic + kSlope); }
  static V value(V x) { return x / (E::of(-twice_u(x)) + 1.0f); }
  static Slope<Vec> slope(V x) {
    // Beyond these both are 0 or 1, as at them.
    x = E::at_least(E::at_most(x, 10.0f), -10.0f);
    const V other = E::of(-twice_u(x));  // 1 / sigmoid - 1
    const V gate = 1.0f / (other + 1.0f);
    const V steepness = x * (x * x * (3 * kCubic) + kSlope);  // x times the derivative of 2 u
    return {gate * (other * gate * steepness + 1.0f), gate};
  }
};

// x Phi(x), Phi being the standard normal distribution function.
template <class Vec>
struct Gelu {
  using E = Exponential<Vec>;
  using V = typename Vec::V;
  struct Normal {
    V below;  // Phi(x)
    V kernel;  // exp(-x^2 / 2)
  };

  // Phi(-a) is exp(-a^2 / 2) t P(t), t = 1 / (1 + 0.3 a), where a polynomial P comes within 4e-9 of it for a up to 14.5.
  static Normal normal(V x) {
    const V magnitude = x < 0.0f ? -x : x;
    const V t = 1.0f / (magnitude * 0.3f + 1.0f);
    const V sum = E::polynomial(t, -0.020623665f, 0.112436675f, -0.228216082f, 0.19178781f, -0.079426192f, 0.0961582586f,
                                0.0783891678f, 0.110235527f, 0.119571805f, 0.119686693f);
    const V kernel = E::of(x * x * -0.5f);
    const V tail = kernel * t * sum;
    return {x < 0.0f ? tail : 1.0f - tail, kernel};
  }
  static V value(V x) { return x * normal(x).below; }
  static Slope<Vec> slope(V x) {
    // As for the one above.
    x = E::at_least(E::at_most(x, 14.5f), -14.5f);
    const Normal n = normal(x);
    return {x * 0.3989422804014327f * n.kernel + n.below, n.below};
  }
};

// x sigmoid(x).
template <class Vec>
struct Silu {
  using E = Exponential<Vec>;
  using V = typename Vec::V;
  static V value(V x) { return x / (E::of(-x) + 1.0f); }
  static Slope<Vec> slope(V x) {
    x = E::at_least(E::at_most(x, 87.0f), -87.0f);
    const V other = E::of(-x);
    const V gate = 1.0f / (other + 1.0f);
    return {gate * (other * gate * x + 1.0f), gate};
  }
};

template <class Vec, template <class> class Function>
void activate_by(const float* x, std::size_t count, float* out) {
  each_vector<Vec>(count, [&](auto at) { at.store(out, Function<Vec>::value(at.load(x))); });
}

template <class Vec, template <class> class Function>
void activation_gradients_by(const float* x, const float* gradients, std::size_t count, float* out) {
  each_vector<Vec>(count, [&](auto at) { at.store(out, Function<Vec>::slope(at.load(x)).derivative * at.load(gradients)); });
}

template <class Vec, template <class> class Function>
void gate_by(const float* x, const float* factors, std::size_t count, float* out) {
  each_vector<Vec>(count, [&](auto at) { at.store(out, Function<Vec>::value(at.load(x)) * at.load(factors)); });
}

template <class Vec, template <class> class Function>
void gate_gradients_by(const float* x, const float* factors, const float* gradients, std::size_t count, float* out,
                       float* factors_out) {
  each_vector<Vec>(count, [&](auto at) {
    const typename Vec::V value = at.load(x), gradient = at.load(gradients);
    const Slope<Vec> slope = Function<Vec>::slope(value);
    at.store(out, slope.derivative * (gradient * at.load(factors)));
    at.store(factors_out, value * slope.part * gradient);
  });
}

template <class Vec>
void activate_with(ActivationFunction function, const float* x, std::size_t count, float* out) {
  switch (function) {
    case ActivationFunction::kGelu: return activate_by<Vec, Gelu>(x, count, out);
    case ActivationFunction::kGeluTanh: return activate_by<Vec, GeluTanh>(x, count, out);
    case ActivationFunction::kSilu: return activate_by<Vec, Silu>(x, count, out);
  }
}

template <class Vec>
void activation_gradients_with(ActivationFunction function, const float* x, const float* gradients, std::size_t count,
                               float* out) {
  switch (function) {
    case ActivationFunction::kGelu: return activation_gradients_by<Vec, Gelu>(x, gradients, count, out);
    case ActivationFunction::kGeluTanh: return activation_gradients_by<Vec, GeluTanh>(x, gradients, count, out);
    case ActivationFunction::kSilu: return activation_gradients_by<Vec, Silu>(x, gradients, count, out);
  }
}

template <class Vec>
void gate_with(ActivationFunction function, const float* x, const float* factors, std::size_t count, float* out) {
  switch (function) {
    case ActivationFunction::kGelu: return gate_by<Vec, Gelu>(x, factors, count, out);
    case ActivationFunction::kGeluTanh: return gate_by<Vec, GeluTanh>(x, factors, count, out);
    case ActivationFunction::kSilu: return gate_by<Vec, Silu>(x, factors, count, out);
  }
}

template <class Vec>
void gate_gradients_with(ActivationFunction function, const float* x, const float* factors, const float* gradients,
                         std::size_t count, float* out, float* factors_out) {
  switch (function) {
    case ActivationFunction::kGelu: return gate_gradients_by<Vec, Gelu>(x, factors, gradients, count, out, factors_out);
    case ActivationFunction::kGeluTanh:
      return gate_gradients_by<Vec, GeluTanh>(x, factors, gradients, count, out, factors_out);
    case ActivationFunction::kSilu: return gate_gradients_by<Vec, Silu>(x, factors, gradients, count, out, factors_out);
  }
}
