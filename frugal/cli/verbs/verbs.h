// One function a verb; each lives in the file of its name.
#pragma once
#include "frugal/cli/verb.h"

namespace frugal {

Verb tune_verb();
Verb eval_verb();
Verb plan_verb();
Verb generate_verb();
Verb chat_verb();
Verb report_verb();
Verb merge_verb();
Verb convert_verb();
Verb bench_verb();
Verb doctor_verb();
Verb list_verb();
Verb config_verb();

}  // namespace frugal
