#include "frugal/base/handed.h"

namespace frugal {
namespace {

Handed own;
Handed* current = &own;

}  // namespace

Handed& handed() { return *current; }
void take_over(Handed& from_program) { current = &from_program; }

}  // namespace frugal
