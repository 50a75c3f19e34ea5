// An engagement as a figure. No LibTorch.
#pragma once
#include "frugal/signals/swarm/simulator.h"
#include "frugal/train/run/figures.h"

namespace frugal::swarm {

// Paths of attackers and of decoys, each until its end. window: steps that a classifier sees, for the note.
Figure engagement_figure(const EngagementConfig& config, Tactic tactic, std::uint32_t seed, std::int64_t window);

}  // namespace frugal::swarm
