/*
 * The virtual UART's registers: a 16550A.
 *
 * Output goes to the host at once. The transmitter is empty, and its interrupt is
 * the event of having become so, unless the host's line cannot keep up: then it is
 * full until vuart_output_ready. Input waits in a ring behind the
 * FIFO and is never lost. There is no character time: fewer bytes in the FIFO
 * than its trigger level count as timed out at once.
 */
#include <vmm/vuart_state.h>
#include <errno.h>
#include <vmm/memory.h>

enum { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR, N_REGS };
enum { UART_FCR = UART_IIR };
enum { IER_RDI = 0x01, IER_THRI = 0x02, IER_RLSI = 0x04, IER_ALL = 0x0f };
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08 };
enum { MCR_LOOP = 0x10, MCR_ALL = 0x1f };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
enum { IIR_NONE = 0x01, IIR_THRI = 0x02, IIR_RDI = 0x04, IIR_RLSI = 0x06, IIR_TIMEOUT = 0x0c };
enum { IIR_FIFO = 0xc0 };

/*
 * For speed, functions end in calls of others ("return f(...)" is a jump), and what needs a stack
 * frame is kept out of line: so the hot paths have none. Those that end a register access return
 * its outcome, 0.
 */
#define OUT_OF_LINE __attribute__((noinline))

static unsigned fifo_capacity(const struct vuart_regs *r)
{
	return r->fcr & FCR_ENABLE ? VUART_FIFO : 1;
}

static unsigned trigger_level(const struct vuart_regs *r)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return level[r->fcr >> 6];
}

/* The interrupt that IIR shows: the most urgent of those enabled and present. */
static inline uint8_t interrupt(const struct vuart_regs *r)
{
	if (r->ier & IER_RLSI && r->lsr & LSR_ERRORS)
		return IIR_RLSI;
	if (r->ier & IER_RDI && r->lsr & LSR_DR)
		return r->fcr & FCR_ENABLE && r->count < trigger_level(r) ? IIR_TIMEOUT : IIR_RDI;
	if (r->ier & IER_THRI && r->thr_pending)
		return IIR_THRI;
	return IIR_NONE;
}

static void set_lsr(struct vuart_regs *r, uint8_t lsr)
{
	__atomic_store_n(&r->lsr, lsr, __ATOMIC_RELAXED);
}

static bool transmitter_is_empty(const struct vuart_regs *r)
{
	return r->lsr & LSR_THRE;
}

/* The line status says whether the next byte is a BREAK. */
static void show_break(struct vuart_regs *r)
{
	if (r->breaks >> r->head & 1)
		set_lsr(r, r->lsr | LSR_BI | LSR_FE);
}

static void push(struct vuart_regs *r, uint8_t byte, bool is_break)
{
	unsigned slot = (r->head + r->count++) % VUART_FIFO;

	r->fifo[slot] = byte;
	r->breaks = (uint16_t)((r->breaks & ~(1U << slot)) | (unsigned)is_break << slot);
	set_lsr(r, r->lsr | LSR_DR);
	show_break(r);
}

static uint8_t pop(struct vuart_regs *r)
{
	uint8_t byte = r->fifo[r->head];

	r->breaks &= (uint16_t)~(1U << r->head);
	r->head = (r->head + 1) % VUART_FIFO;
	r->count--;
	set_lsr(r, (r->lsr & ~(LSR_DR | LSR_BI | LSR_FE)) | (r->count ? LSR_DR : 0));
	show_break(r);
	return byte;
}

static void change_line(struct vuart *u)
{
	u->line = !u->line;
	u->host->irq_level(u->host->vm, GUEST_UART_IRQ, u->line);
}

static int OUT_OF_LINE change_line_and_unlock(struct vuart *u)
{
	change_line(u);
	spin_unlock(&u->lock);
	return 0;
}

static inline bool line_is_stale(const struct vuart *u)
{
	return (interrupt(&u->r) != IIR_NONE) != u->line;
}

static inline int drive_line_and_unlock(struct vuart *u)
{
	if (line_is_stale(u))
		return change_line_and_unlock(u);
	spin_unlock(&u->lock);
	return 0;
}

/* In loopback the wire from outside is cut: input stays in the ring. */
void vuart_refresh(struct vuart *u)
{
	while (u->ring_count && u->r.count < fifo_capacity(&u->r) && !(u->r.mcr & MCR_LOOP)) {
		unsigned i = u->ring_head;

		push(&u->r, (uint8_t)u->ring[i], u->ring_breaks[i / 8] >> i % 8 & 1);
		u->ring_head = (uint16_t)((i + 1) % VUART_RING);
		u->ring_count--;
	}
	if (line_is_stale(u))
		change_line(u);
}

/* Half a ring of hysteresis, so that a fast sender is not called back for each byte. */
void vuart_unlock(struct vuart *u, irqflags_t flags)
{
	bool ready = u->starved && u->ring_count <= VUART_RING / 2;

	if (ready)
		u->starved = false;
	spin_unlock_irqrestore(&u->lock, flags);
	if (ready)
		u->host->console_ready(u->host->vm);
}

/* Behind what waits; if nothing does, straight into the FIFO while that has room. Lock held, the ring has room. */
static void receive(struct vuart *u, char byte, bool is_break)
{
	unsigned i = (u->ring_head + u->ring_count) % VUART_RING;
	uint8_t bit = (uint8_t)(1U << i % 8);

	u->ring[i] = byte;
	if (is_break)
		u->ring_breaks[i / 8] |= bit;
	else
		u->ring_breaks[i / 8] &= (uint8_t)~bit;
	if (++u->ring_count == 1)
		vuart_refresh(u);
}

bool vuart_break(struct vdev *uart)
{
	struct vuart *u = uart->state;
	irqflags_t flags = spin_lock_irqsave(&u->lock);
	bool room = u->ring_count < VUART_RING;

	if (room)
		receive(u, '\0', true);
	vuart_unlock(u, flags);
	return room;
}

bool vuart_listens(const struct vdev *uart)
{
	const struct vuart *u = uart->state;

	return u->r.ier & IER_RDI;
}

size_t vuart_input(struct vdev *uart, const char *buf, size_t n)
{
	struct vuart *u = uart->state;
	irqflags_t flags = spin_lock_irqsave(&u->lock);
	size_t taken = 0;

	while (taken < n && u->ring_count < VUART_RING)
		receive(u, buf[taken++], false);
	u->starved |= taken < n;
	vuart_unlock(u, flags);
	return taken;
}

/* --- reads ------------------------------------------------------------------- */

/* An empty FIFO reads 0; without FIFOs the last byte stays in the register. */
static uint8_t next_byte(struct vuart_regs *r)
{
	if (r->count)
		r->rbr = pop(r);
	else if (r->fcr & FCR_ENABLE)
		return 0;
	return r->rbr;
}

static int OUT_OF_LINE read_data(struct vuart *u, uint64_t *value)
{
	spin_lock(&u->lock);
	*value = u->r.lcr & LCR_DLAB ? u->r.dll : next_byte(&u->r);
	vuart_refresh(u);
	vuart_unlock(u, 0);
	return 0;
}

/* Reading the transmitter-empty interrupt acknowledges it; the last in rank, it leaves none behind. */
static int OUT_OF_LINE read_iir(struct vuart *u, uint64_t *value)
{
	uint8_t id;

	spin_lock(&u->lock);
	id = interrupt(&u->r);
	*value = id | (u->r.fcr & FCR_ENABLE ? IIR_FIFO : 0);
	if (id == IIR_THRI) {
		u->r.thr_pending = 0;
		return change_line_and_unlock(u);
	}
	spin_unlock(&u->lock);
	return 0;
}

/* Reading acknowledges the errors. */
static int OUT_OF_LINE read_lsr(struct vuart *u, uint64_t *value)
{
	spin_lock(&u->lock);
	*value = u->r.lsr;
	set_lsr(&u->r, u->r.lsr & ~LSR_ERRORS);
	if (u->r.count)
		u->r.breaks &= (uint16_t)~(1U << u->r.head);
	return drive_line_and_unlock(u);
}

/* A modem that is always there, or our own outputs in loopback. Changes are not told (delta bits). */
static uint8_t modem_status(const struct vuart_regs *r)
{
	if (!(r->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (r->mcr & MCR_DTR ? MSR_DSR : 0) | (r->mcr & MCR_RTS ? MSR_CTS : 0) |
	       (r->mcr & MCR_OUT1 ? MSR_RI : 0) | (r->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

/* What is one byte and decides nothing else is read without the lock. */
static uint8_t plain_register(const struct vuart_regs *r, uint64_t reg)
{
	switch (reg) {
	case UART_IER:
		return r->lcr & LCR_DLAB ? r->dlm : r->ier;
	case UART_LCR:
		return r->lcr;
	case UART_MCR:
		return r->mcr;
	case UART_MSR:
		return modem_status(r);
	default:
		return r->scr;
	}
}

static int read_register(struct vuart *u, uint64_t reg, uint64_t *value)
{
	switch (reg) {
	case UART_DATA:
		return read_data(u, value);
	case UART_IIR:
		return read_iir(u, value);
	case UART_LSR:
		return read_lsr(u, value);
	default:
		*value = plain_register(&u->r, reg);
		return 0;
	}
}

static int OUT_OF_LINE read_split(struct vuart *u, uint64_t off, unsigned size, uint64_t *value)
{
	return vdev_split_read(&vuart_type.ops, u, off, size, 8, value);
}

/*
 * A register is one byte; a wider aligned access is one access to it (as QEMU's virt has it).
 * Polling guests read the line status before each byte, hence the short way to it.
 */
int vuart_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	struct vuart *u = dev;
	uint8_t lsr = __atomic_load_n(&u->r.lsr, __ATOMIC_RELAXED);

	if (off == UART_LSR && size == 1 && !(lsr & LSR_ERRORS)) {
		*value = lsr;
		return 0;
	}
	if (!vdev_is_whole(off, size, 8))
		return read_split(u, off, size, value);
	return off < N_REGS ? read_register(u, off, value) : -EINVAL;
}

/* --- writes ------------------------------------------------------------------ */

/* The transmitter's own byte comes in, over the top when there is no room. */
static void loop_back(struct vuart_regs *r, uint8_t byte)
{
	if (r->count < fifo_capacity(r)) {
		push(r, byte, false);
		return;
	}
	if (!(r->fcr & FCR_ENABLE))
		r->fifo[r->head] = byte;
	set_lsr(r, r->lsr | LSR_OE);
}

static int write_data_locked(struct vuart *u, uint8_t value)
{
	spin_lock(&u->lock);
	if (u->r.mcr & MCR_LOOP)
		loop_back(&u->r, value);
	u->r.thr_pending = transmitter_is_empty(&u->r); /* full and, at once, empty again */
	return drive_line_and_unlock(u);
}

/*
 * The byte was taken, but waits. What it waits for may have come meanwhile, in which case vuart_output_ready was
 * here before us: asked for under the lock, it cannot be missed.
 */
static int OUT_OF_LINE transmitter_waits(struct vuart *u)
{
	spin_lock(&u->lock);
	if (u->host->console_slow(u->host->vm)) {
		set_lsr(&u->r, u->r.lsr & ~(LSR_THRE | LSR_TEMT));
		u->r.thr_pending = 0;
	} else {
		u->r.thr_pending = transmitter_is_empty(&u->r);
	}
	return drive_line_and_unlock(u);
}

void vuart_output_ready(struct vdev *uart)
{
	struct vuart *u = uart->state;
	irqflags_t flags = spin_lock_irqsave(&u->lock);

	if (!transmitter_is_empty(&u->r)) {
		set_lsr(&u->r, u->r.lsr | LSR_THRE | LSR_TEMT);
		u->r.thr_pending = 1;
		if (line_is_stale(u))
			change_line(u);
	}
	spin_unlock_irqrestore(&u->lock, flags);
}

/* A byte for the console leaves before the lock is taken, and none is without its interrupt. */
static int OUT_OF_LINE write_data(struct vuart *u, uint8_t value)
{
	if (u->r.lcr & LCR_DLAB) {
		u->r.dll = value;
		return 0;
	}
	if (!(u->r.mcr & MCR_LOOP)) {
		enum vdev_output output = u->host->console_put(u->host->vm, (char)value);

		if (unlikely(output != VDEV_TAKEN))
			return output == VDEV_FULL ? -EAGAIN : transmitter_waits(u);
		if (!(u->r.ier & IER_THRI))
			return 0;
	}
	return write_data_locked(u, value);
}

/* Enabling the transmitter-empty interrupt raises it, acknowledged before or not, if it is empty. */
static int OUT_OF_LINE write_ier(struct vuart *u, uint8_t value)
{
	if (u->r.lcr & LCR_DLAB) {
		u->r.dlm = value;
		return 0;
	}
	spin_lock(&u->lock);
	if ((u->r.ier ^ value) & IER_THRI)
		u->r.thr_pending = transmitter_is_empty(&u->r);
	u->r.ier = value & IER_ALL;
	return drive_line_and_unlock(u);
}

static void write_fcr(struct vuart_regs *r, uint8_t value)
{
	if ((r->fcr ^ value) & FCR_ENABLE)
		value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
	if (value & FCR_CLEAR_RX) {
		r->head = r->count = 0;
		r->breaks = 0;
		set_lsr(r, r->lsr & ~(LSR_DR | LSR_BI | LSR_FE));
	}
	if (value & FCR_CLEAR_TX)
		r->thr_pending = transmitter_is_empty(r);
	r->fcr = value & FCR_KEPT;
}

/* FCR and MCR decide whether waiting input comes in. */
static int OUT_OF_LINE write_control(struct vuart *u, uint64_t reg, uint8_t value)
{
	spin_lock(&u->lock);
	if (reg == UART_FCR)
		write_fcr(&u->r, value);
	else
		u->r.mcr = value & MCR_ALL;
	vuart_refresh(u);
	vuart_unlock(u, 0);
	return 0;
}

static int write_register(struct vuart *u, uint64_t reg, uint8_t value)
{
	switch (reg) {
	case UART_DATA:
		return write_data(u, value);
	case UART_IER:
		return write_ier(u, value);
	case UART_FCR:
	case UART_MCR:
		return write_control(u, reg, value);
	case UART_LCR:
		u->r.lcr = value;
		return 0;
	case UART_SCR:
		u->r.scr = value;
		return 0;
	default: /* the status registers are read only */
		return 0;
	}
}

int vuart_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	if (!vdev_is_whole(off, size, 8))
		return vdev_split_write(&vuart_type.ops, dev, off, size, 8, value);
	return off < N_REGS ? write_register(dev, off, (uint8_t)value) : -EINVAL;
}
