/* The futex call: from programs' addresses to keys, its kinds, and the locks that a thread leaves behind. */
#include <errno.h>

#include <caisson/mm.h>
#include <caisson/rtc.h>
#include <caisson/time.h>

#include "futex.h"
#include "syscalls.h"

#define NS INT64_C(1000000000)
#define ROBUST_MAX 2048                     /* locks in a thread's list that are looked at */

enum { WAIT, WAKE, REQUEUE = 3, CMP_REQUEUE, WAKE_OP, WAIT_BITSET = 9, WAKE_BITSET, PRIVATE = 128, REALTIME = 256 };
enum { ARG_WORD, ARG_OP, ARG_VALUE, ARG_TIMEOUT, ARG_WORD2, ARG_VALUE3 };
enum { TID_MASK = 0x3fffffff, OWNER_DIED = 0x40000000 };
#define WAITERS 0x80000000

/* --- words --- */

/* Where the word is for us. The memory's lock is held, and as long as it is the word stays there. */
static int find_word(struct user_mm *mm, uint64_t addr, unsigned access, uint32_t **word)
{
	hpa_t hpa;

	if (addr & 3)
		return -EINVAL;
	if (aspace_resolve(&mm->space, addr, access | PERM_U, &hpa, NULL) != FAULT_RESOLVED)
		return -EFAULT;
	*word = hpa_to_kva(hpa);
	return 0;
}

/* The same with its key: shared memory has one for all processes, unless the call says that it is among threads of one. */
static int find_key(struct user_mm *mm, uint64_t addr, unsigned access, bool private, struct futex_key *key, uint32_t **word)
{
	int error = find_word(mm, addr, access, word);
	const struct area *a = error || private ? NULL : aspace_find(&mm->space, addr);

	*key = (struct futex_key){ mm, addr };
	if (a && (a->flags & USER_SHARED))
		*key = (struct futex_key){ NULL, kva_to_hpa(*word).v };
	return error;
}

/* Whom a wake-up means. Nobody can wait at a word that is not there. */
static int find_line(struct user_mm *mm, uint64_t addr, bool private, struct futex_key *key)
{
	uint32_t *word;
	int error;

	if (addr & 3)
		return -EINVAL;
	*key = (struct futex_key){ mm, addr };
	if (private)
		return 0;
	mutex_lock(&mm->lock);
	error = find_key(mm, addr, PERM_R, false, key, &word);
	mutex_unlock(&mm->lock);
	return error;
}

/* --- waiting --- */

/* @param[out] ticks  of the machine's time; never, without a time-out */
static int find_deadline(struct thread *t, const uint64_t *arg, unsigned op, uint64_t *ticks)
{
	struct linux_timespec ts;
	int64_t ns;

	*ticks = UINT64_MAX;
	if (!arg[ARG_TIMEOUT])
		return 0;
	if (copy_from_user(t->process->mm, &ts, arg[ARG_TIMEOUT], sizeof(ts)))
		return -EFAULT;
	if (ts.s < 0 || ts.ns < 0 || ts.ns >= NS)
		return -EINVAL;
	if (ts.s >= INT64_MAX / NS / 2)
		return 0;
	ns = ts.s * NS + ts.ns;
	if (op == WAIT)
		ns += (int64_t)time_to_ns(time_now());
	else if (arg[ARG_OP] & REALTIME)
		ns += (int64_t)(time_to_ns(time_now()) - rtc_wall_ns());
	*ticks = thread_deadline(t, ns > 0 ? time_from_us((uint64_t)ns / 1000 + 1) : 0);
	return 0;
}

static bool is_over(void *arg)
{
	const struct futex_waiter *w = arg;

	return __atomic_load_n(&w->woken, __ATOMIC_ACQUIRE) || thread_interrupted(w->thread);
}

static int64_t wait(struct thread *t, const uint64_t *arg, unsigned op, uint32_t bits)
{
	struct waitq nobody = WAITQ_INIT(nobody);
	struct futex_waiter w = { .bits = bits, .thread = t };
	struct user_mm *mm = t->process->mm;
	struct futex_key key;
	uint64_t deadline;
	uint32_t *word;
	int error = bits ? find_deadline(t, arg, op, &deadline) : -EINVAL;

	if (error)
		return error;
	mutex_lock(&mm->lock);
	error = find_key(mm, arg[ARG_WORD], PERM_R, arg[ARG_OP] & PRIVATE, &key, &word);
	if (!error)
		error = futex_enter(&w, &key, word, (uint32_t)arg[ARG_VALUE]);
	mutex_unlock(&mm->lock);
	if (error)
		return error;
	error = waitq_wait(&nobody, is_over, &w, deadline);
	if (!futex_leave(&w))
		return 0;
	return error ? error : arg[ARG_TIMEOUT] ? -ERESTART_QUIET : -ERESTART;
}

/* --- waking --- */

static int64_t wake(struct thread *t, const uint64_t *arg, uint32_t bits)
{
	struct futex_key key;
	int error = bits ? find_line(t->process->mm, arg[ARG_WORD], arg[ARG_OP] & PRIVATE, &key) : -EINVAL;

	return error ? error : (int64_t)futex_wake(&key, (uint32_t)arg[ARG_VALUE], bits);
}

static int64_t requeue(struct thread *t, const uint64_t *arg, bool compare)
{
	struct user_mm *mm = t->process->mm;
	struct futex_key from, to;
	uint32_t *word, *other;
	int64_t result;

	if ((int32_t)arg[ARG_VALUE] < 0 || (int32_t)arg[ARG_TIMEOUT] < 0)
		return -EINVAL;
	mutex_lock(&mm->lock);
	result = find_key(mm, arg[ARG_WORD], PERM_R, arg[ARG_OP] & PRIVATE, &from, &word);
	if (!result)
		result = find_key(mm, arg[ARG_WORD2], PERM_R, arg[ARG_OP] & PRIVATE, &to, &other);
	if (!result)
		result = futex_requeue(&from, &to, (uint32_t)arg[ARG_VALUE], (uint32_t)arg[ARG_TIMEOUT], compare ? word : NULL,
				       (uint32_t)arg[ARG_VALUE3]);
	mutex_unlock(&mm->lock);
	return result;
}

/* What FUTEX_WAKE_OP does to the second word. @return -ENOSYS: no such operation */
static int operate(uint32_t *word, unsigned op, uint32_t by, uint32_t *old)
{
	switch (op) {
	case 0:
		*old = __atomic_exchange_n(word, by, __ATOMIC_SEQ_CST);
		return 0;
	case 1:
		*old = __atomic_fetch_add(word, by, __ATOMIC_SEQ_CST);
		return 0;
	case 2:
		*old = __atomic_fetch_or(word, by, __ATOMIC_SEQ_CST);
		return 0;
	case 3:
		*old = __atomic_fetch_and(word, ~by, __ATOMIC_SEQ_CST);
		return 0;
	case 4:
		*old = __atomic_fetch_xor(word, by, __ATOMIC_SEQ_CST);
		return 0;
	default:
		return -ENOSYS;
	}
}

static bool compares(int32_t old, unsigned how, int32_t with)
{
	switch (how) {
	case 0:
		return old == with;
	case 1:
		return old != with;
	case 2:
		return old < with;
	case 3:
		return old <= with;
	case 4:
		return old > with;
	default:
		return old >= with;
	}
}

static int64_t wake_op(struct thread *t, const uint64_t *arg)
{
	uint32_t code = (uint32_t)arg[ARG_VALUE3], by = (uint32_t)((int32_t)(code << 8) >> 20), old = 0;
	int32_t with = (int32_t)(code << 20) >> 20;
	struct user_mm *mm = t->process->mm;
	struct futex_key key, key2;
	uint32_t *word;
	int64_t result;

	if ((code >> 24 & 15) > 5)
		return -ENOSYS;
	if (code >> 31)
		by = UINT32_C(1) << (by & 31);
	mutex_lock(&mm->lock);
	result = find_key(mm, arg[ARG_WORD], PERM_R, arg[ARG_OP] & PRIVATE, &key, &word);
	if (!result)
		result = find_key(mm, arg[ARG_WORD2], PERM_W, arg[ARG_OP] & PRIVATE, &key2, &word);
	if (!result)
		result = operate(word, code >> 28 & 7, by, &old);
	mutex_unlock(&mm->lock);
	if (result)
		return result;
	result = futex_wake(&key, (uint32_t)arg[ARG_VALUE], FUTEX_ANY);
	if (compares((int32_t)old, code >> 24 & 15, with))
		result += futex_wake(&key2, (uint32_t)arg[ARG_TIMEOUT], FUTEX_ANY);
	return result;
}

/* Those with priority inheritance are not there: C libraries say so to who asks for such a lock. */
int64_t sys_futex(struct thread *t, const uint64_t *arg)
{
	unsigned op = (unsigned)arg[ARG_OP] & ~(unsigned)(PRIVATE | REALTIME);

	switch (op) {
	case WAIT:
		return wait(t, arg, op, FUTEX_ANY);
	case WAIT_BITSET:
		return wait(t, arg, op, (uint32_t)arg[ARG_VALUE3]);
	case WAKE:
		return wake(t, arg, FUTEX_ANY);
	case WAKE_BITSET:
		return wake(t, arg, (uint32_t)arg[ARG_VALUE3]);
	case REQUEUE:
	case CMP_REQUEUE:
		return requeue(t, arg, op == CMP_REQUEUE);
	case WAKE_OP:
		return wake_op(t, arg);
	default:
		return -ENOSYS;
	}
}

/* --- a thread's end --- */

void futex_clear(struct thread *t, uint64_t addr)
{
	const uint32_t none = 0;
	struct futex_key key;

	if (!copy_to_user(t->process->mm, addr, &none, sizeof(none)) && !find_line(t->process->mm, addr, false, &key))
		(void)futex_wake(&key, 1, FUTEX_ANY);
}

/* A lock of its own gets the mark that its owner has died, and one of those who wait may have it. */
static bool mark_dead(struct thread *t, uint64_t addr, bool pending)
{
	struct user_mm *mm = t->process->mm;
	struct futex_key key;
	uint32_t *word, old = 0;
	int error;

	mutex_lock(&mm->lock);
	error = find_key(mm, addr, PERM_W, false, &key, &word);
	if (!error) {
		old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
		while ((old & TID_MASK) == t->tid &&
		       !__atomic_compare_exchange_n(word, &old, (old & WAITERS) | OWNER_DIED, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
	mutex_unlock(&mm->lock);
	if (error)
		return false;
	if (((old & TID_MASK) == t->tid && (old & WAITERS)) || (pending && !old))
		(void)futex_wake(&key, 1, FUTEX_ANY);
	return true;
}

/* The list is the program's, so that anything may stand there; the lowest bit of a pointer says another kind of lock. */
void futex_leave_robust(struct thread *t, uint64_t head)
{
	struct { uint64_t first, offset, pending; } list;
	uint64_t entry;

	if (copy_from_user(t->process->mm, &list, head, sizeof(list)))
		return;
	entry = list.first & ~UINT64_C(1);
	for (unsigned i = 0; i < ROBUST_MAX && entry != head; i++) {
		uint64_t next;
		bool more = !copy_from_user(t->process->mm, &next, entry, sizeof(next));

		if (entry != (list.pending & ~UINT64_C(1)) && !mark_dead(t, entry + list.offset, false))
			return;
		if (!more)
			return;
		entry = next & ~UINT64_C(1);
	}
	if (list.pending)
		(void)mark_dead(t, (list.pending & ~UINT64_C(1)) + list.offset, true);
}
