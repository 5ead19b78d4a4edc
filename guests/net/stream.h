/* Many frames as fast as they go, of up to 64 KiB where the device cuts them or passes them on (TSO). */
#pragma once

#include <stdbool.h>

/** Send `frames` frames of `size` bytes to `to`, `burst` for each notification, after `delay` ms. @return whether it could. */
bool stream_send(void);

/** Take `frames` frames, or until none comes any more, and say what that took. @return whether each was `size` bytes long */
bool stream_take(void);
