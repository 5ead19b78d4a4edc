/*
 * The virtual PLIC's registers and gateways (RISC-V PLIC specification 1.0.0).
 *
 * Where the specification and QEMU's virt differ to the guest's eye, this is
 * like QEMU: a claim is subject to the threshold, and bit 0 of the enables is
 * kept (it has no effect). Unlike there, a level that is still up at its
 * completion is pending again, as chapter 7 asks of level-triggered gateways.
 *
 * Nothing here walks the sources: pending sources are kept in one bitmap for
 * each priority, and the best of a context is the lowest bit of the first
 * intersection with its enables that is not empty.
 */
#include <vmm/vplic_state.h>
#include <errno.h>

#define PENDING_BASE UINT64_C(0x1000)
#define ENABLE_BASE UINT64_C(0x2000)
#define CONTEXT_BASE UINT64_C(0x200000)
#define ENABLE_WORDS ((VPLIC_IDS + 31) / 32)

enum { CONTEXT_THRESHOLD = 0, CONTEXT_CLAIM = 4 };

/*
 * For speed, functions end in calls of others ("return f(...)" is a jump), and what needs a stack
 * frame is kept out of line: so the hot paths have none. Those that end a register access return
 * its outcome, 0.
 */
#define OUT_OF_LINE __attribute__((noinline))

/*
 * Number of the lowest bit that is set in x, not 0. The compiler would call a
 * library loop, because the kernel is compiled for machines without Zbb; a
 * product with a de Bruijn sequence names every single bit by its top 6 bits.
 */
#define SEQUENCE UINT64_C(0x0218a392cd3d5dbf)
#define E1(n) [(SEQUENCE << (n)) >> 58] = (n)
#define E4(n) E1(n), E1((n) + 1), E1((n) + 2), E1((n) + 3)
#define E16(n) E4(n), E4((n) + 4), E4((n) + 8), E4((n) + 12)

static inline uint64_t lowest_bit(uint64_t x)
{
	static const uint8_t number[64] = { E16(0), E16(16), E16(32), E16(48) };

	return number[((x & -x) * SEQUENCE) >> 58];
}

/* The first of these ranks, some of 0 to 6 (7 is over no threshold): so few that a table of all sets is the quickest. */
#define R1(n) (n), 0
#define R2(n) R1(n), R1(1)
#define R3(n) R2(n), R2(2)
#define R4(n) R3(n), R3(3)
#define R5(n) R4(n), R4(4)
#define R6(n) R5(n), R5(5)

static inline uint64_t first_rank(uint64_t ranks)
{
	static const uint8_t first[1 << (VPLIC_PRIORITIES - 1)] = { R6(0), R6(6) };

	return first[ranks];
}

/* Of these ranks, does one have a source that the context enables? */
static bool OUT_OF_LINE search_ranks(const struct vplic *p, const struct vplic_context *c, uint64_t ranks)
{
	for (; ranks; ranks &= ranks - 1) {
		const uint64_t *map = p->pending[first_rank(ranks)];

		if ((map[0] & c->enable[0]) | (map[1] & c->enable[1]))
			return true;
	}
	return false;
}

/* Is there anything to claim for this context? */
static inline bool has_request(const struct vplic *p, const struct vplic_context *c)
{
	uint64_t ranks = p->ranks_pending & c->ranks;

	return unlikely(ranks) && search_ranks(p, c, ranks);
}

static inline void drive_line(struct vplic *p, uint64_t vcpu, bool up)
{
	p->lines ^= BIT(vcpu);
	p->host->vcpu_ext_irq(p->host->vm, (unsigned)vcpu, up);
}

void vplic_sync_line(struct vplic *p, unsigned vcpu)
{
	bool up = has_request(p, &p->context[2 * vcpu + 1]);

	if (up != (p->lines >> vcpu & 1))
		drive_line(p, vcpu, up);
}

static inline void lower_line(struct vplic *p, uint64_t vcpu)
{
	if (!has_request(p, &p->context[2 * vcpu + 1]))
		drive_line(p, vcpu, false);
}

static inline void raise_line(struct vplic *p, uint64_t vcpu, unsigned prio)
{
	if (prio > p->context[2 * vcpu + 1].threshold)
		drive_line(p, vcpu, true);
}

static void OUT_OF_LINE lower_several(struct vplic *p, uint64_t vcpus)
{
	for (; vcpus; vcpus &= vcpus - 1)
		lower_line(p, lowest_bit(vcpus));
}

static void OUT_OF_LINE raise_several(struct vplic *p, uint64_t vcpus, unsigned prio)
{
	for (; vcpus; vcpus &= vcpus - 1)
		raise_line(p, lowest_bit(vcpus), prio);
}

/* Most often a source has one target: then there is no loop, whose state would have to be kept over the calls. */
static inline bool is_one(uint64_t vcpus)
{
	return likely(!(vcpus & (vcpus - 1)));
}

/* Of these lines, all up, lower those that have lost their last request. Unlocks. */
static int OUT_OF_LINE lower_and_unlock(struct vplic *p, uint64_t vcpus)
{
	if (is_one(vcpus))
		lower_line(p, lowest_bit(vcpus));
	else
		lower_several(p, vcpus);
	spin_unlock(&p->lock);
	return 0;
}

/*
 * A request of this priority has come: of these lines, all down, raise those whose threshold it
 * passes. Unlocks. flags as spin_lock_irqsave gave them; 0 (interrupts were off) after a plain
 * spin_lock.
 */
static int OUT_OF_LINE raise_and_unlock(struct vplic *p, uint64_t vcpus, unsigned prio,
					irqflags_t flags)
{
	if (is_one(vcpus))
		raise_line(p, lowest_bit(vcpus), prio);
	else
		raise_several(p, vcpus, prio);
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

uint64_t vplic_pending(const struct vplic *p, unsigned word)
{
	uint64_t all = 0;

	for (unsigned rank = 0; rank < VPLIC_PRIORITIES; rank++)
		all |= __atomic_load_n(&p->pending[rank][word], __ATOMIC_RELAXED);
	return all;
}

static inline bool is_pending(const struct vplic *p, uint64_t source)
{
	return p->pending[vplic_rank(p->prio[source])][source >> 6] >> (source & 63) & 1;
}

static inline void set_pending(struct vplic *p, uint64_t source, unsigned prio)
{
	uint64_t rank = vplic_rank(prio);

	p->pending[rank][source >> 6] |= BIT(source & 63);
	p->ranks_pending |= BIT(rank);
}

void vplic_set_pending(struct vplic *p, unsigned source)
{
	set_pending(p, source, p->prio[source]);
}

static inline void clear_pending(struct vplic *p, unsigned word, uint64_t bit, uint64_t rank)
{
	uint64_t *map = p->pending[rank];

	map[word] &= ~bit;
	if (!(map[0] | map[1]))
		p->ranks_pending &= ~BIT(rank);
}

/* Put the first of these pending sources of a word into service. @return it. */
static inline uint64_t take(struct vplic *p, unsigned word, uint64_t bits, uint64_t rank)
{
	p->in_service[word] |= bits & -bits;
	clear_pending(p, word, bits & -bits, rank);
	return 64 * word + lowest_bit(bits);
}

/* The first source of this rank that the context enables goes into service. @return it, 0: none. */
static inline uint64_t take_of_rank(struct vplic *p, const struct vplic_context *c, uint64_t rank)
{
	uint64_t low = p->pending[rank][0] & c->enable[0];
	uint64_t high = p->pending[rank][1] & c->enable[1];

	if (low)
		return take(p, 0, low, rank);
	return high ? take(p, 1, high, rank) : 0;
}

static uint64_t OUT_OF_LINE take_next(struct vplic *p, const struct vplic_context *c, uint64_t ranks)
{
	uint64_t source = 0;

	for (; ranks && !source; ranks &= ranks - 1)
		source = take_of_rank(p, c, first_rank(ranks));
	return source;
}

/* This source, 0 for none, is claimed: lines that were up for it alone fall. Unlocks. */
static inline int claimed_and_unlock(struct vplic *p, uint64_t source, uint64_t *value)
{
	uint64_t vcpus = p->targets[source] & p->lines;

	*value = source;
	if (source && vcpus)
		return lower_and_unlock(p, vcpus);
	spin_unlock(&p->lock);
	return 0;
}

static int OUT_OF_LINE claim_next(struct vplic *p, const struct vplic_context *c, uint64_t *value, uint64_t ranks)
{
	return claimed_and_unlock(p, take_next(p, c, ranks), value);
}

/* The best pending source of the context goes into service; most often the first rank has it. */
static int OUT_OF_LINE claim(struct vplic *p, const struct vplic_context *c, uint64_t *value)
{
	uint64_t ranks, source;

	spin_lock(&p->lock);
	ranks = p->ranks_pending & c->ranks;
	source = ranks ? take_of_rank(p, c, first_rank(ranks)) : 0;
	if (likely(source))
		return claimed_and_unlock(p, source, value);
	return claim_next(p, c, value, ranks & (ranks - 1));
}

/* The gateway, with the lock held, sends a request to the core. Unlocks. */
static inline int forward_and_unlock(struct vplic *p, uint64_t source, irqflags_t flags)
{
	unsigned prio = p->prio[source];
	uint64_t vcpus = p->targets[source] & ~p->lines;

	set_pending(p, source, prio);
	if (vcpus)
		return raise_and_unlock(p, vcpus, prio, flags);
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

static int OUT_OF_LINE complete(struct vplic *p, const struct vplic_context *c, uint64_t source)
{
	uint64_t word = source >> 6, bit = BIT(source & 63);

	if (source >= VPLIC_IDS)
		return 0;
	spin_lock(&p->lock);
	if (c->enable[word] & p->in_service[word] & bit) {
		p->in_service[word] &= ~bit;
		if (p->level[word] & bit)
			return forward_and_unlock(p, source, 0);
	}
	spin_unlock(&p->lock);
	return 0;
}

void vplic_set_level(struct vdev *plic, unsigned source, bool level)
{
	struct vplic *p = plic->state;
	uint64_t id = source, word = id >> 6, bit = BIT(id & 63);
	irqflags_t flags;

	if (id == 0 || id >= VPLIC_IDS)
		return;
	flags = spin_lock_irqsave(&p->lock);
	if (!level) {
		p->level[word] &= ~bit;
	} else {
		p->level[word] |= bit;
		if (!(p->in_service[word] & bit) && !is_pending(p, id)) {
			forward_and_unlock(p, id, flags);
			return;
		}
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

static int OUT_OF_LINE set_priority(struct vplic *p, unsigned source, uint32_t prio)
{
	bool pending;

	if (source == 0 || source >= VPLIC_IDS)
		return 0;
	spin_lock(&p->lock);
	pending = is_pending(p, source);
	if (pending)
		clear_pending(p, source >> 6, BIT(source & 63), vplic_rank(p->prio[source]));
	__atomic_store_n(&p->prio[source], prio % VPLIC_PRIORITIES, __ATOMIC_RELAXED);
	if (pending) {
		vplic_set_pending(p, source);
		for (uint64_t vcpus = p->targets[source]; vcpus; vcpus &= vcpus - 1)
			vplic_sync_line(p, (unsigned)lowest_bit(vcpus));
	}
	spin_unlock(&p->lock);
	return 0;
}

void vplic_toggle_targets(struct vplic *p, unsigned context, unsigned word, uint64_t changed)
{
	if (!(context & 1))
		return;
	for (; changed; changed &= changed - 1)
		p->targets[64 * word + lowest_bit(changed)] ^= BIT(context / 2);
}

/* One 32-bit enable register, number n of its context. */
static int OUT_OF_LINE set_enable(struct vplic *p, unsigned context, unsigned n, uint32_t value)
{
	uint64_t *word = &p->context[context].enable[n / 2];
	unsigned shift = 32 * (n % 2);
	uint64_t changed;

	spin_lock(&p->lock);
	changed = (*word >> shift ^ value) << shift & BITS(shift + 31, shift);
	__atomic_store_n(word, *word ^ changed, __ATOMIC_RELAXED);
	vplic_toggle_targets(p, context, n / 2, changed);
	if (context & 1)
		vplic_sync_line(p, context / 2);
	spin_unlock(&p->lock);
	return 0;
}

static int OUT_OF_LINE set_threshold(struct vplic *p, unsigned context, uint32_t value)
{
	spin_lock(&p->lock);
	vplic_set_threshold(&p->context[context], value % VPLIC_PRIORITIES);
	if (context & 1)
		vplic_sync_line(p, context / 2);
	spin_unlock(&p->lock);
	return 0;
}

static inline uint32_t half(uint64_t word, unsigned n)
{
	return (uint32_t)(word >> (32 * (n % 2)));
}

/* The registers below the contexts' pages. What is reserved reads 0. */
static uint32_t read_low(const struct vplic *p, uint64_t off)
{
	unsigned n = off % PENDING_BASE / 4;
	uint64_t context;

	if (off < PENDING_BASE)
		return n < VPLIC_IDS ? __atomic_load_n(&p->prio[n], __ATOMIC_RELAXED) : 0;
	if (off < ENABLE_BASE)
		return n < ENABLE_WORDS ? half(vplic_pending(p, n / 2), n) : 0;
	context = (off - ENABLE_BASE) / 128;
	n = off % 128 / 4;
	if (context >= p->n_contexts || n >= ENABLE_WORDS)
		return 0;
	return half(__atomic_load_n(&p->context[context].enable[n / 2], __ATOMIC_RELAXED), n);
}

/* Registers are 4 bytes; the bus makes such pieces of a wider access only if it is misaligned. */
static int OUT_OF_LINE read_odd(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	if (vdev_is_whole(off, size, 8))
		return -EINVAL;
	return vdev_split_read(&vplic_type.ops, dev, off, size, 8, value);
}

int vplic_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	struct vplic *p = dev;
	uint64_t context = (off - CONTEXT_BASE) / PAGE_SIZE; /* huge below the contexts */
	unsigned reg = off % PAGE_SIZE;

	if (unlikely(size != 4 || off % 4 || off >= VPLIC_SIZE))
		return read_odd(dev, off, size, value);
	if (context < p->n_contexts && reg == CONTEXT_CLAIM)
		return claim(p, &p->context[context], value);
	if (off < CONTEXT_BASE)
		*value = read_low(p, off);
	else if (context < p->n_contexts && reg == CONTEXT_THRESHOLD)
		*value = __atomic_load_n(&p->context[context].threshold, __ATOMIC_RELAXED);
	else
		*value = 0;
	return 0;
}

/* As read_low; the pending bits are read only. */
static int write_low(struct vplic *p, uint64_t off, uint32_t value)
{
	uint64_t context = (off - ENABLE_BASE) / 128;
	unsigned n = off % 128 / 4;

	if (off < PENDING_BASE)
		return set_priority(p, (unsigned)off / 4, value);
	if (off >= ENABLE_BASE && context < p->n_contexts && n < ENABLE_WORDS)
		return set_enable(p, (unsigned)context, n, value);
	return 0;
}

static int OUT_OF_LINE write_odd(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	if (vdev_is_whole(off, size, 8))
		return -EINVAL;
	return vdev_split_write(&vplic_type.ops, dev, off, size, 8, value);
}

int vplic_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	struct vplic *p = dev;
	uint64_t context = (off - CONTEXT_BASE) / PAGE_SIZE;
	unsigned reg = off % PAGE_SIZE;

	if (unlikely(size != 4 || off % 4 || off >= VPLIC_SIZE))
		return write_odd(dev, off, size, value);
	if (context < p->n_contexts && reg == CONTEXT_CLAIM)
		return complete(p, &p->context[context], (uint32_t)value);
	if (off < CONTEXT_BASE)
		return write_low(p, off, (uint32_t)value);
	if (context < p->n_contexts && reg == CONTEXT_THRESHOLD)
		return set_threshold(p, (unsigned)context, (uint32_t)value);
	return 0;
}
