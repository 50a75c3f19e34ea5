#include "frugal/signals/swarm/simulator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "frugal/base/error.h"
#include "frugal/signals/swarm/mersenne.h"

namespace frugal::swarm {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array<std::string_view, kTactics> kTacticNames = {"greedy", "greedy+", "auction", "auction+"};
constexpr std::array<std::string_view, 6> kMotionNames = {"star", "str", "perL", "perR", "semi", "zero"};

template <class Names>
std::size_t index_of(const Names& names, std::string_view text, const char* option) {
  std::string listed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return i;
    listed += (listed.empty() ? "" : ", ") + std::string(names[i]);
  }
  throw Error(Exit::usage, std::string(option) + " is '" + std::string(text) + "', expected one of " + listed,
              "take one of them");
}

double heading(Motion motion, std::size_t j, std::size_t m) {
  constexpr double kDegree = std::numbers::pi / 180;
  switch (motion) {
    case Motion::str:
      return 45 * kDegree;
    case Motion::perL:
      return 135 * kDegree;
    case Motion::perR:
      return -45 * kDegree;
    default:
      return (m == 1 ? 135 : -45 + 180 * static_cast<double>(j) / static_cast<double>(m - 1)) * kDegree;
  }
}

struct Start {
  Bodies attackers, decoys;
};

// Every array is drawn whole, all x before all y: attackers, (bearing,) decoys, headings, speeds.
Start draw_start(const EngagementConfig& c, std::uint32_t seed) {
  MersenneUniform u(seed);
  const auto n = static_cast<std::size_t>(c.attackers), m = static_cast<std::size_t>(c.decoys);
  Start start;
  Bodies &a = start.attackers, &d = start.decoys;
  const auto draw = [&](std::vector<double>& into, std::size_t count, double offset, double shift) {
    into.resize(count);
    for (double& x : into) x = offset + 5 * (u() - shift);
  };
  const double shift = c.random_start ? 0.5 : 0;
  draw(a.px, n, c.random_start ? 0 : 40, shift);
  draw(a.py, n, c.random_start ? 0 : 40, shift);
  const double bearing = c.random_start ? 2 * std::numbers::pi * u() : 0;
  draw(d.px, m, c.random_start ? 40 * std::cos(bearing) : 0, shift);
  draw(d.py, m, c.random_start ? 40 * std::sin(bearing) : 0, shift);
  std::vector<double> theta(m);
  for (double& t : theta) t = std::numbers::pi / 2 * (u() - shift) + (c.random_start ? std::numbers::pi + bearing : 0);
  d.vx.resize(m), d.vy.resize(m);
  for (std::size_t j = 0; j < m; ++j) {
    const double drawn = 0.05 + (0.4 - 0.05) * u(), speed = c.motion == Motion::zero ? 1e-4 : drawn;
    const bool is_drawn = c.motion == Motion::star || c.motion == Motion::zero;
    const double angle = is_drawn ? theta[j] : heading(c.motion, j, m);
    d.vx[j] = speed * std::cos(angle), d.vy[j] = speed * std::sin(angle);
  }
  a.vx.assign(n, 0), a.vy.assign(n, 0);
  return start;
}

}  // namespace

std::string_view name(Tactic tactic) { return kTacticNames[static_cast<std::size_t>(tactic)]; }
Tactic parse_tactic(std::string_view text) { return static_cast<Tactic>(index_of(kTacticNames, text, "--tactics")); }
Motion parse_motion(std::string_view text) { return static_cast<Motion>(index_of(kMotionNames, text, "--motion")); }

Engagement::Engagement(const EngagementConfig& config, Tactic tactic, std::uint32_t seed)
    : config_(config), tactic_(tactic) {
  Start start = draw_start(config, seed);
  attackers_ = std::move(start.attackers), decoys_ = std::move(start.decoys);
  prepare();
}

Engagement::Engagement(const EngagementConfig& config, Tactic tactic, Bodies attackers, Bodies decoys)
    : config_(config), tactic_(tactic), attackers_(std::move(attackers)), decoys_(std::move(decoys)) {
  prepare();
}

void Engagement::prepare() {
  ax_.assign(n(), 0), ay_.assign(n(), 0);
  distances_.resize(n() * m());
  is_alive_.assign(m(), true);
  targets_.assign(n(), -1);
  alive_ = static_cast<int>(m());
}

void Engagement::measure() {
  const double *dx = decoys_.px.data(), *dy = decoys_.py.data();
  for (std::size_t i = 0; i < n(); ++i) {
    const double px = attackers_.px[i], py = attackers_.py[i];
    double* row = &distances_[i * m()];
    for (std::size_t j = 0; j < m(); ++j) row[j] = (px - dx[j]) * (px - dx[j]) + (py - dy[j]) * (py - dy[j]);
  }
}

void Engagement::kill(std::size_t j) {
  if (!is_alive_[j]) return;
  is_alive_[j] = false;
  decoys_.px[j] = decoys_.py[j] = kInfinity;
  decoys_.vx[j] = decoys_.vy[j] = 0;
  --alive_;
}

void Engagement::forget_column(std::size_t j) {
  for (std::size_t i = 0; i < n(); ++i) distances_[i * m() + j] = kInfinity;
}

// Of row i; the first on ties, m() where every decoy of the row is dead.
std::size_t Engagement::nearest(std::size_t i) const {
  const double* row = &distances_[i * m()];
  const auto j = static_cast<std::size_t>(std::min_element(row, row + m()) - row);
  return row[j] < kInfinity ? j : m();
}

double intercept_time(double ex, double ey, double wx, double wy, double v_max) {
  // c2 t^2 + c3 t + c4 = 0 with c2 < 0 < c4: one root is positive. q has the sign of -c3, so that nothing cancels.
  const double c2 = wx * wx + wy * wy - v_max * v_max, c3 = 2 * (ex * wx + ey * wy), c4 = ex * ex + ey * ey;
  const double root = std::sqrt(c3 * c3 - 4 * c2 * c4);
  const double q = -0.5 * (c3 + (c3 < 0 ? -root : root));
  return c3 < 0 ? c4 / q : q / c2;
}

void Engagement::steer(std::size_t i, std::size_t j) {
  double ux = decoys_.px[j] - attackers_.px[i], uy = decoys_.py[j] - attackers_.py[i];
  if (leads(tactic_)) {
    const double t = intercept_time(ux, uy, decoys_.vx[j], decoys_.vy[j], config_.v_max);
    ux += decoys_.vx[j] * t, uy += decoys_.vy[j] * t;
  }
  const double scale = config_.v_max / config_.accel_steps / std::sqrt(ux * ux + uy * uy);
  ax_[i] = scale * ux, ay_[i] = scale * uy;
  targets_[i] = static_cast<int>(j);
}

// No communication: each takes the nearest decoy, in turn; later ones see what earlier ones killed.
void Engagement::greedy() {
  const double range = config_.kill_range * config_.kill_range;
  for (std::size_t i = 0; i < n(); ++i) {
    const std::size_t j = nearest(i);
    if (j == m()) continue;
    if (distances_[i * m() + j] < range) {
      kill(j);
      forget_column(j);
    } else {
      steer(i, j);
    }
  }
}

// Communication: the nearest pairs are assigned, each decoy once; who is left takes the nearest decoy. Distances are
// those of the step's start throughout, also to decoys that were killed in it.
void Engagement::auction() {
  const double range = config_.kill_range * config_.kill_range;
  const auto assigned =
      is_exhaustive_ ? nearest_pairs_exhaustively(distances_, n(), m()) : nearest_pairs(distances_, n(), m());
  // Of assigned pairs each touches its own attacker and decoy alone, so their order does not matter.
  for (std::size_t i = 0; i < n(); ++i) {
    if (assigned[i] < 0) continue;
    const auto j = static_cast<std::size_t>(assigned[i]);
    if (distances_[i * m() + nearest(i)] < range) kill(j);  // the row's least, which need not be this pair's
    if (is_alive_[j]) steer(i, j);
  }
  for (std::size_t i = 0; i < n(); ++i) {
    const std::size_t j = assigned[i] < 0 ? nearest(i) : m();
    if (j == m()) continue;
    if (distances_[i * m() + j] < range) kill(j);
    if (is_alive_[j]) steer(i, j);
  }
}

// Communication by priority: the decoy farthest from the origin goes first, to the attacker nearest to it.
void Engagement::auction_plus() {
  const double range = config_.kill_range * config_.kill_range;
  std::vector<double> order(m());  // squared distance from the origin, before kills; -1: dead or done
  for (std::size_t j = 0; j < m(); ++j)
    order[j] = is_alive_[j] ? decoys_.px[j] * decoys_.px[j] + decoys_.py[j] * decoys_.py[j] : -1;
  for (std::size_t i = 0; i < n(); ++i) {
    const int j = targets_[i];
    if (j < 0 || !(distances_[i * m() + static_cast<std::size_t>(j)] <= range)) continue;
    kill(static_cast<std::size_t>(j));
    forget_column(static_cast<std::size_t>(j));
  }
  targets_.assign(n(), -1);
  std::vector<bool> is_assigned(n(), false);
  // A decoy killed in this step is still in the order: its turn passes without a pair.
  for (std::size_t round = 0; round < n() && round < static_cast<std::size_t>(alive_); ++round) {
    const auto f = static_cast<std::size_t>(std::max_element(order.begin(), order.end()) - order.begin());
    order[f] = -1;
    std::size_t nearest_to_f = n();
    double least = kInfinity;
    for (std::size_t i = 0; i < n(); ++i) {
      if (!is_assigned[i] && distances_[i * m() + f] < least) least = distances_[i * m() + f], nearest_to_f = i;
    }
    if (nearest_to_f == n()) continue;
    is_assigned[nearest_to_f] = true;
    steer(nearest_to_f, f);
  }
  for (std::size_t i = 0; i < n(); ++i) {
    if (is_assigned[i]) continue;
    if (const std::size_t j = nearest(i); j != m()) steer(i, j);
  }
}

void Engagement::integrate() {
  const double r = 1.0 / config_.accel_steps;
  Bodies& a = attackers_;
  for (std::size_t i = 0; i < n(); ++i) {
    ax_[i] -= r * a.vx[i], ay_[i] -= r * a.vy[i];
    a.vx[i] += ax_[i], a.vy[i] += ay_[i];
    a.px[i] += a.vx[i], a.py[i] += a.vy[i];
  }
  for (std::size_t j = 0; j < m(); ++j) decoys_.px[j] += decoys_.vx[j], decoys_.py[j] += decoys_.vy[j];
}

void Engagement::step() {
  measure();
  if (tactic_ == Tactic::auction_plus) {
    auction_plus();
  } else {
    targets_.assign(n(), -1);
    tactic_ == Tactic::auction ? auction() : greedy();
  }
  integrate();
  ++steps_;
}

Track simulate(const EngagementConfig& config, Tactic tactic, std::uint32_t seed, int most) {
  Engagement engagement(config, tactic, seed);
  Track track{.steps = 0, .agents = config.attackers};
  const auto append = [&] {
    const Bodies& a = engagement.attackers();
    for (const auto* part : {&a.px, &a.py, &a.vx, &a.vy})
      track.data.insert(track.data.end(), part->begin(), part->end());
    ++track.steps;
  };
  append();
  while (!engagement.is_over() && (most == 0 || track.steps < most)) {
    engagement.step();
    append();
  }
  return track;
}

}  // namespace frugal::swarm
