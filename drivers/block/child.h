/*
 * A request of a stacked device's own to a device below it.
 *
 * The device below may be done with it before block_submit returns, or on another
 * hart meanwhile. Here that looks like a function that returns the status at once,
 * so whoever makes requests one after another does it in a loop, not by recursion.
 */
#pragma once

#include <caisson/block.h>

#define CHILD_UNDER_WAY 1

struct child {
	struct block_request rq;
	uint32_t state; /* atomic */
	void (*resume)(struct child *c, int status);
};

/**
 * Submit c->rq, all of which but `done` and `arg` is filled in. Any context.
 * @return 0 or negative errno: it is done; CHILD_UNDER_WAY: resume() is called later with its status, and may have
 * been already: c is not the caller's any more.
 */
int child_submit(struct child *c, struct block_device *dev) __must_check;
