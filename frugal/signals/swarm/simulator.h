// Swarm against swarm: attackers (armed, observed, index i of N) hunt decoys (unarmed, index j of M) in the plane, by
// one of four tactics. "Swarm Characteristics Classification Using Neural Networks", arXiv:2403.19572, section II; the
// order of random numbers, of kills and of assignments is that of the authors' simulator, since it is part of what a
// classifier learns from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frugal::swarm {

// Whether attackers agree on their targets (auction), and whether they steer at where a target will be (plus: lead by
// proportional navigation). The number is the class: 2 * communicates + leads.
enum class Tactic { greedy, greedy_plus, auction, auction_plus };
inline constexpr int kTactics = 4;

std::string_view name(Tactic tactic);        // greedy, greedy+, auction, auction+
Tactic parse_tactic(std::string_view text);  // Error(Exit::usage)
inline bool communicates(Tactic tactic) { return tactic >= Tactic::auction; }
inline bool leads(Tactic tactic) { return static_cast<int>(tactic) % 2 == 1; }

// Where decoys head: star, a fan between +x and +y; str, all at 45 degrees, towards the attackers; perL and perR, at
// right angles to that; semi, spread over half a circle; zero, at a ten-thousandth of a step a step.
enum class Motion { star, str, perL, perR, semi, zero };
Motion parse_motion(std::string_view text);  // Error(Exit::usage)

struct EngagementConfig {
  int attackers = 10, decoys = 10;  // >= 1
  double v_max = 1;                 // an attacker's top speed, a step
  double kill_range = 1;
  int accel_steps = 10;  // >= 1; r = 1 / accel_steps, the share of a speed that a step changes
  Motion motion = Motion::star;
  bool random_start = false;  // decoys come from any bearing, 40 away
  int max_steps = 5000;       // a guard: the longest seen is 721
};

struct Bodies {
  std::vector<double> px, py, vx, vy;
  std::size_t size() const { return px.size(); }
};

// One engagement, a step at a time.
class Engagement {
 public:
  // The start that belongs to a seed.
  Engagement(const EngagementConfig& config, Tactic tactic, std::uint32_t seed);
  // Any start; at least one body a side.
  Engagement(const EngagementConfig& config, Tactic tactic, Bodies attackers, Bodies decoys);

  void step();  // a unit of time
  bool is_over() const { return alive_ == 0 || steps_ >= config_.max_steps; }
  int steps() const { return steps_; }
  int alive() const { return alive_; }  // decoys
  const Bodies& attackers() const { return attackers_; }
  const Bodies& decoys() const { return decoys_; }  // a dead one is at infinity, at rest
  bool is_alive(std::size_t j) const { return is_alive_[j]; }
  const std::vector<int>& targets() const { return targets_; }  // that attackers steered at in the last step; -1: none
  // Finds the auction's pairs by looking at every distance for each, as it is defined: slow, for tests and benchmarks.
  void search_exhaustively() { is_exhaustive_ = true; }

 private:
  void prepare();
  void measure();
  void greedy();
  void auction();
  void auction_plus();
  void kill(std::size_t j);
  void forget_column(std::size_t j);
  std::size_t nearest(std::size_t i) const;
  void steer(std::size_t i, std::size_t j);
  void integrate();
  std::size_t n() const { return attackers_.size(); }
  std::size_t m() const { return decoys_.size(); }

  EngagementConfig config_;
  Tactic tactic_;
  Bodies attackers_, decoys_;
  std::vector<double> ax_, ay_;    // an attacker's command; what no new one replaced has an effect again
  std::vector<double> distances_;  // [N, M], squared; infinite for dead decoys
  std::vector<bool> is_alive_;
  std::vector<int> targets_;
  int alive_ = 0, steps_ = 0;
  bool is_exhaustive_ = false;
};

// What was observed: rows of [Px_1..Px_N, Py_1..Py_N, Vx_1..Vx_N, Vy_1..Vy_N], row 0 the start.
struct Track {
  int steps = 0, agents = 0;  // steps: rows
  std::vector<double> data;   // [steps, 4 agents]
};

// most: rows after which nobody looks; 0: to the end.
Track simulate(const EngagementConfig& config, Tactic tactic, std::uint32_t seed, int most = 0);

// Two unknowns of a constant-bearing intercept: the time t with |e + w t| = v_max t, for |w| < v_max; e is not 0.
double intercept_time(double ex, double ey, double wx, double wy, double v_max);

// The auction: the nearest pair (i, j) of all, then the nearest of the rows and columns left, and so on. Ties go to the
// lower column, then the lower row. distances: [n, m], infinite where there is no pair. Returns each row's column, -1
// for none.
std::vector<int> nearest_pairs(const std::vector<double>& distances, std::size_t n, std::size_t m);
std::vector<int> nearest_pairs_exhaustively(const std::vector<double>& distances, std::size_t n, std::size_t m);

}  // namespace frugal::swarm
