// torch::nn and autograd for small networks: the one precompiled header of what includes them, since it takes half a
// minute to compile.
#pragma once
#include <torch/torch.h>
