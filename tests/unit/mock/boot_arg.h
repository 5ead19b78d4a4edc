/* One boot argument, for what does not link the device tree. */
#pragma once

/** The key that is there, and its value; NULL: there are no boot arguments. */
extern const char *mock_boot_key, *mock_boot_value;
