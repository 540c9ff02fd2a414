// Philox4x32-10, as kernels/philox.ts has it.
#pragma once

namespace bergson::cuda {

struct Words {
  unsigned at[4];
};

__device__ inline Words philox4x32(Words counter, unsigned key0, unsigned key1) {
  unsigned(&c)[4] = counter.at;
  for (int round = 0; round < 10; round++) {
    const unsigned long long product0 = 0xd2511f53ull * c[0], product1 = 0xcd9e8d57ull * c[2];
    c[0] = static_cast<unsigned>(product1 >> 32) ^ c[1] ^ key0;
    c[2] = static_cast<unsigned>(product0 >> 32) ^ c[3] ^ key1;
    c[1] = static_cast<unsigned>(product1);
    c[3] = static_cast<unsigned>(product0);
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return counter;
}

}  // namespace bergson::cuda
