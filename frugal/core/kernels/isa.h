// Which instruction set the kernels run on. Every file with kernels includes this before Highway.
#pragma once
// Vectors here have a fixed width of at most one logical block (64 bytes): arm64 runs NEON.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

namespace frugal::kernels {

void select_isa();  // reads FRUGAL_ISA the first time it is called; afterwards one load

}  // namespace frugal::kernels

#define FRUGAL_DISPATCH(function) (::frugal::kernels::select_isa(), HWY_DYNAMIC_DISPATCH(function))
