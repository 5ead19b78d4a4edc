/* What the mock log was told. */
#pragma once

/** The lines since the last clear, each ended by a newline; what comes after 8 KiB is dropped. */
const char *mock_log_text(void);
void mock_log_clear(void);
