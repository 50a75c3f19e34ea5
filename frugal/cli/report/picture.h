// Whether base64 text is an image that a page may show.
#pragma once
#include <optional>
#include <string_view>

namespace frugal::report {

struct PictureSize {
  std::size_t width = 0, height = 0;
};

// From the file's header. None: type is neither image/png nor image/jpeg, the text is no whole base64, the file is not
// of that type, or a side is 0 or above 8,192 pixels, which a few bytes can claim.
std::optional<PictureSize> picture_size(std::string_view type, std::string_view base64);

}  // namespace frugal::report
