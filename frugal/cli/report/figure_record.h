// Figures of events.jsonl, read without trusting them: what is not as train/run/figures.h writes it is refused, what is
// too much is bounded when it is drawn.
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "frugal/base/json.h"
#include "frugal/train/run/figures.h"

namespace frugal::report {

// A file of an image as it lies in the event.
struct Picture {
  std::string name, title;
  std::string type, base64;  // image/png or image/jpeg; whole and valid
  std::size_t width = 0, height = 0;
};

using FigureRecord = std::variant<Figure, HeatMap, FigureTable, Picture>;

inline constexpr std::size_t kMostPictureBytes = 4 << 20;  // of base64

bool is_figure_event(std::string_view kind);  // "figure", "heatmap", "table", "image"
// None: not such an event. A number beyond 1e100 is none, as null.
std::optional<FigureRecord> figure_of(const Json& event);
const std::string& name_of(const FigureRecord& figure);

}  // namespace frugal::report
