# ---- floors with LibTorch ----
find_package(Torch REQUIRED)
frugal_floor(core core frugal_kernels ${TORCH_LIBRARIES})
target_compile_definitions(frugal_core PUBLIC AT_PER_OPERATOR_HEADERS)
frugal_floor(nn nn frugal_core frugal_formats)
frugal_floor(train train frugal_nn frugal_data)
frugal_tests(core frugal_core)
frugal_tests(nn frugal_nn)
frugal_tests(train frugal_train)
