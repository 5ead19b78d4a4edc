/*
 * The virtual PLIC's registers and gateways (RISC-V PLIC specification 1.0.0).
 *
 * Where the specification and QEMU's virt differ to the guest's eye, this is
 * like QEMU: a claim is subject to the threshold, and bit 0 of the enables is
 * kept (it has no effect). Unlike there, a level that is still up at its
 * completion is pending again, as chapter 7 asks of level-triggered gateways.
 *
 * Nothing here walks the sources: pending sources are kept as one bitmap for
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

/* What needs a stack frame stays out of the dispatchers, whose other paths then need none. */
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

static inline bool test_bit(const uint64_t *map, uint64_t source)
{
	return map[source >> 6] >> (source & 63) & 1;
}

/* Is there anything to claim for this context? */
static inline bool has_request(const struct vplic *p, const struct vplic_context *c)
{
	for (uint64_t ranks = p->ranks_pending & c->ranks; ranks; ranks &= ranks - 1) {
		const uint64_t *map = p->by_rank[lowest_bit(ranks)];

		if ((map[0] & c->enable[0]) | (map[1] & c->enable[1]))
			return true;
	}
	return false;
}

static inline void drive_line(struct vplic *p, uint64_t vcpu, bool up)
{
	p->lines ^= UINT32_C(1) << vcpu;
	p->host->vcpu_ext_irq(p->host->vm, (unsigned)vcpu, up);
}

void vplic_sync_line(struct vplic *p, unsigned vcpu)
{
	bool up = has_request(p, &p->context[2 * vcpu + 1]);

	if (up != (p->lines >> vcpu & 1))
		drive_line(p, vcpu, up);
}

/*
 * The two below end the hot paths where a line may have to move, with the lock; only they need a stack frame.
 * flags as spin_lock_irqsave gave them; 0 (interrupts were off) after a plain spin_lock.
 */

/* Of these lines, all up, lower those that have lost their last request. Unlocks. */
static void OUT_OF_LINE lower_and_unlock(struct vplic *p, uint64_t vcpus, irqflags_t flags)
{
	for (; vcpus; vcpus &= vcpus - 1) {
		uint64_t vcpu = lowest_bit(vcpus);

		if (!has_request(p, &p->context[2 * vcpu + 1]))
			drive_line(p, vcpu, false);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

/* A request of this priority has come: of these lines, all down, raise those whose threshold it passes. Unlocks. */
static void OUT_OF_LINE raise_and_unlock(struct vplic *p, uint64_t vcpus, unsigned prio, irqflags_t flags)
{
	for (; vcpus; vcpus &= vcpus - 1) {
		uint64_t vcpu = lowest_bit(vcpus);

		if (prio > p->context[2 * vcpu + 1].threshold)
			drive_line(p, vcpu, true);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

static inline void set_pending(struct vplic *p, uint64_t word, uint64_t bit, unsigned prio)
{
	unsigned rank = vplic_rank(prio);

	p->pending[word] |= bit;
	p->by_rank[rank][word] |= bit;
	p->ranks_pending |= UINT32_C(1) << rank;
}

static inline void clear_pending(struct vplic *p, uint64_t word, uint64_t bit, uint64_t rank)
{
	uint64_t *map = p->by_rank[rank];

	p->pending[word] &= ~bit;
	map[word] &= ~bit;
	if (!(map[0] | map[1]))
		p->ranks_pending &= ~(UINT32_C(1) << rank);
}

void vplic_set_pending(struct vplic *p, unsigned source)
{
	set_pending(p, source >> 6, BIT(source & 63), p->prio[source]);
}

/* Put the best pending source of the context into service. @return it, 0: none. */
static inline uint64_t take_best(struct vplic *p, const struct vplic_context *c)
{
	for (uint64_t ranks = p->ranks_pending & c->ranks; ranks; ranks &= ranks - 1) {
		uint64_t rank = lowest_bit(ranks), word = 0;
		uint64_t bits = p->by_rank[rank][0] & c->enable[0];

		if (!bits) {
			word = 1;
			bits = p->by_rank[rank][1] & c->enable[1];
		}
		if (bits) {
			p->in_service[word] |= bits & -bits;
			clear_pending(p, word, bits & -bits, rank);
			return 64 * word + lowest_bit(bits);
		}
	}
	return 0;
}

static int OUT_OF_LINE claim(struct vplic *p, const struct vplic_context *c, uint64_t *value)
{
	uint64_t source, vcpus;

	spin_lock(&p->lock);
	source = take_best(p, c);
	*value = source;
	vcpus = p->targets[source] & p->lines;
	if (source && vcpus)
		lower_and_unlock(p, vcpus, 0);
	else
		spin_unlock(&p->lock);
	return 0;
}

/* The gateway, with the lock held, sends a request to the core. Unlocks. */
static inline void forward_and_unlock(struct vplic *p, uint64_t source, irqflags_t flags)
{
	unsigned prio = p->prio[source];
	uint64_t vcpus = p->targets[source] & ~p->lines;

	set_pending(p, source >> 6, BIT(source & 63), prio);
	if (vcpus)
		raise_and_unlock(p, vcpus, prio, flags);
	else
		spin_unlock_irqrestore(&p->lock, flags);
}

static void OUT_OF_LINE complete(struct vplic *p, const struct vplic_context *c, uint64_t source)
{
	uint64_t word = source >> 6, bit = BIT(source & 63);

	if (source >= VPLIC_IDS)
		return;
	spin_lock(&p->lock);
	if (c->enable[word] & p->in_service[word] & bit) {
		p->in_service[word] &= ~bit;
		if (p->level[word] & bit) {
			forward_and_unlock(p, source, 0);
			return;
		}
	}
	spin_unlock(&p->lock);
}

void vplic_set_level(struct vdev *plic, unsigned source, bool level)
{
	struct vplic *p = plic->state;
	uint64_t word = source >> 6, bit = BIT(source & 63);
	irqflags_t flags;

	if (source == 0 || source >= VPLIC_IDS)
		return;
	flags = spin_lock_irqsave(&p->lock);
	if (!level) {
		p->level[word] &= ~bit;
	} else {
		p->level[word] |= bit;
		if (!((p->in_service[word] | p->pending[word]) & bit)) {
			forward_and_unlock(p, source, flags);
			return;
		}
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

static void OUT_OF_LINE set_priority(struct vplic *p, unsigned source, uint32_t prio)
{
	bool pending;

	if (source == 0 || source >= VPLIC_IDS)
		return;
	spin_lock(&p->lock);
	pending = test_bit(p->pending, source);
	if (pending)
		clear_pending(p, source >> 6, BIT(source & 63), vplic_rank(p->prio[source]));
	__atomic_store_n(&p->prio[source], prio % VPLIC_PRIORITIES, __ATOMIC_RELAXED);
	if (pending) {
		vplic_set_pending(p, source);
		for (uint64_t vcpus = p->targets[source]; vcpus; vcpus &= vcpus - 1)
			vplic_sync_line(p, (unsigned)lowest_bit(vcpus));
	}
	spin_unlock(&p->lock);
}

void vplic_toggle_targets(struct vplic *p, unsigned context, unsigned word, uint64_t changed)
{
	if (!(context & 1))
		return;
	for (; changed; changed &= changed - 1)
		p->targets[64 * word + lowest_bit(changed)] ^= UINT32_C(1) << (context / 2);
}

/* One 32-bit enable register, number n of its context. */
static void OUT_OF_LINE set_enable(struct vplic *p, unsigned context, unsigned n, uint32_t value)
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
}

static void OUT_OF_LINE set_threshold(struct vplic *p, unsigned context, uint32_t value)
{
	spin_lock(&p->lock);
	vplic_set_threshold(&p->context[context], value % VPLIC_PRIORITIES);
	if (context & 1)
		vplic_sync_line(p, context / 2);
	spin_unlock(&p->lock);
}

static inline uint32_t half(const uint64_t *map, unsigned n)
{
	return (uint32_t)(__atomic_load_n(&map[n / 2], __ATOMIC_RELAXED) >> (32 * (n % 2)));
}

/* The registers below the contexts' pages. What is reserved reads 0. */
static uint32_t read_low(const struct vplic *p, uint64_t off)
{
	unsigned n = off % PENDING_BASE / 4;
	uint64_t context;

	if (off < PENDING_BASE)
		return n < VPLIC_IDS ? __atomic_load_n(&p->prio[n], __ATOMIC_RELAXED) : 0;
	if (off < ENABLE_BASE)
		return n < ENABLE_WORDS ? half(p->pending, n) : 0;
	context = (off - ENABLE_BASE) / 128;
	n = off % 128 / 4;
	return context < p->n_contexts && n < ENABLE_WORDS ? half(p->context[context].enable, n) : 0;
}

/* Registers are 4 bytes; a bus makes such pieces of a wider access only where that is misaligned. */
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
static void write_low(struct vplic *p, uint64_t off, uint32_t value)
{
	uint64_t context = (off - ENABLE_BASE) / 128;
	unsigned n = off % 128 / 4;

	if (off < PENDING_BASE)
		set_priority(p, (unsigned)off / 4, value);
	else if (off >= ENABLE_BASE && context < p->n_contexts && n < ENABLE_WORDS)
		set_enable(p, (unsigned)context, n, value);
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
	if (off < CONTEXT_BASE)
		write_low(p, off, (uint32_t)value);
	else if (context >= p->n_contexts)
		return 0;
	else if (reg == CONTEXT_CLAIM)
		complete(p, &p->context[context], (uint32_t)value);
	else if (reg == CONTEXT_THRESHOLD)
		set_threshold(p, (unsigned)context, (uint32_t)value);
	return 0;
}
