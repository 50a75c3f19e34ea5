#include "frugal/tune/badam/pair_blocks.h"

#include <gtest/gtest.h>

namespace frugal {
namespace {

const std::vector<TensorSpec> kTensors = {
    {.name = "model.embed_tokens.weight"},
    {.name = "model.layers.0.input_layernorm.weight", .is_vector = true, .layer = 0, .role = Role::input_norm},
    {.name = "model.layers.0.self_attn.q_proj.weight", .layer = 0, .role = Role::q},
    {.name = "model.layers.0.mlp.up_proj.weight", .layer = 0, .role = Role::up},
    {.name = "model.layers.1.self_attn.q_proj.weight", .layer = 1, .role = Role::q},
    {.name = "model.layers.1.mlp.up_proj.weight", .layer = 1, .role = Role::up},
    {.name = "model.norm.weight", .is_vector = true, .layer = 2, .role = Role::final_norm}};

// Two factors beside each of the named weights.
std::vector<std::size_t> beside(std::initializer_list<std::size_t> weights) {
  std::vector<std::size_t> all;
  for (const std::size_t weight : weights) all.insert(all.end(), 2, weight);
  return all;
}

TEST(PairBlocks, AreThoseOfTheWeightsTheyStandBeside) {
  BadamConfig config;
  const Partition layers = blocks_of_pairs(kTensors, beside({2, 3, 4, 5}), config);
  ASSERT_EQ(layers.blocks.size(), 2u);
  EXPECT_EQ(layers.blocks[0].members, (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(layers.blocks[1].members, (std::vector<std::size_t>{4, 5, 6, 7}));
  config.always_active = {"model.layers.1.mlp"};
  const Partition always = blocks_of_pairs(kTensors, beside({2, 3, 4, 5}), config);
  EXPECT_EQ(always.always, (std::vector<std::size_t>{6, 7}));
  EXPECT_EQ(always.blocks[1].members, (std::vector<std::size_t>{4, 5}));
}

// Embedding, head and blocks of linears that are no targets have no pair: they get no turn.
TEST(PairBlocks, WithoutAPairAreLeftOut) {
  BadamConfig config;
  config.include_embedding = config.include_lm_head = true;
  config.block = "module";
  const Partition found = blocks_of_pairs(kTensors, beside({2, 4}), config);
  ASSERT_EQ(found.blocks.size(), 2u);
  EXPECT_EQ(found.blocks[0].name, "model.layers.0.self_attn.");
  EXPECT_EQ(found.blocks[1].members, (std::vector<std::size_t>{2, 3}));
}

std::string error_of(const BadamConfig& config, const std::vector<std::size_t>& weights) {
  try {
    blocks_of_pairs(kTensors, weights, config);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "";
}

TEST(PairBlocks, RefuseWhenNoBlockMeetsAPairAndAStartThatThereIsNot) {
  BadamConfig config;
  config.block = "custom:model.layers.0.mlp;model.layers.1.mlp";
  EXPECT_EQ(
      error_of(config, beside({2, 4})),
      "none of the 2 blocks of --block custom:model.layers.0.mlp;model.layers.1.mlp has a low-rank pair to train");
  config.start_block = 1;
  EXPECT_EQ(error_of(config, beside({2, 3})), "--start-block is 1, but 1 blocks have low-rank pairs");
}

}  // namespace
}  // namespace frugal
