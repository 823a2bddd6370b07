/* What the emulated device can take. */
#ifndef CUDAEMU_DEVICE_LIMITS_H
#define CUDAEMU_DEVICE_LIMITS_H

namespace cudaemu::limits {

constexpr int major = 9, minor = 0;
constexpr int multiprocessors = 4;
constexpr int threads = 1024; /* of a block, in all and along x and y */
constexpr int block_z = 64;
constexpr int grid_x = 2147483647, grid_yz = 65535;
constexpr int shared_bytes = 48 << 10;         /* dynamic, of a block */
constexpr int raised_shared_bytes = 227 << 10; /* after cudaFuncSetAttribute */
constexpr int registers = 65536;
constexpr int threads_per_multiprocessor = 2048, blocks_per_multiprocessor = 32;

} // namespace cudaemu::limits

#endif
