// MeZO: tuning by the loss alone, two forward passes a step (arXiv:2305.17333).
#pragma once
#include "frugal/train/config/zeroth_order.h"

namespace frugal {

using MezoConfig = ZerothOrderConfig;  // nothing of its own

}  // namespace frugal
