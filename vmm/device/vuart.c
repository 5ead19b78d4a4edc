/*
 * The virtual UART's registers: a 16550A.
 *
 * Output goes to the host at once, so the transmitter is always empty and its
 * interrupt is the event of having become so. Input waits in a ring behind the
 * FIFO and is never lost. There is no character time: fewer bytes in the FIFO
 * than its trigger level count as timed out at once.
 */
#include <vmm/vuart_state.h>
#include <errno.h>
#include <vmm/memory.h>

enum { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR, UART_N_REGS };
enum { UART_FCR = UART_IIR };
enum { IER_RDI = 0x01, IER_THRI = 0x02, IER_RLSI = 0x04, IER_ALL = 0x0f };
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_ALL = 0x1f };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
enum { IIR_NONE = 0x01, IIR_THRI = 0x02, IIR_RDI = 0x04, IIR_RLSI = 0x06, IIR_TIMEOUT = 0x0c, IIR_FIFO = 0xc0 };

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
static uint8_t interrupt(const struct vuart_regs *r)
{
	if (r->ier & IER_RLSI && r->lsr & LSR_OE)
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

static void push(struct vuart_regs *r, uint8_t byte)
{
	r->fifo[(r->head + r->count++) % VUART_FIFO] = byte;
	set_lsr(r, r->lsr | LSR_DR);
}

static uint8_t pop(struct vuart_regs *r)
{
	uint8_t byte = r->fifo[r->head];

	r->head = (r->head + 1) % VUART_FIFO;
	if (--r->count == 0)
		set_lsr(r, r->lsr & ~LSR_DR);
	return byte;
}

/* In loopback the wire from outside is cut: input stays in the ring. */
void vuart_refresh(struct vuart *u)
{
	bool line;

	while (u->ring_count && u->r.count < fifo_capacity(&u->r) && !(u->r.mcr & MCR_LOOP)) {
		push(&u->r, (uint8_t)u->ring[u->ring_head]);
		u->ring_head = (u->ring_head + 1) % VUART_RING;
		u->ring_count--;
	}
	line = interrupt(&u->r) != IIR_NONE;
	if (line == u->line)
		return;
	u->line = line;
	u->host->irq_level(u->host->vm, GUEST_UART_IRQ, line);
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

size_t vuart_input(struct vdev *uart, const char *buf, size_t n)
{
	struct vuart *u = uart->state;
	irqflags_t flags = spin_lock_irqsave(&u->lock);
	size_t taken = 0;

	while (taken < n && u->ring_count < VUART_RING) {
		u->ring[(u->ring_head + u->ring_count) % VUART_RING] = buf[taken++];
		u->ring_count++;
		if (u->ring_count == 1)
			vuart_refresh(u); /* straight into the FIFO while that has room */
	}
	u->starved |= taken < n;
	vuart_unlock(u, flags);
	return taken;
}

/* --- reads ------------------------------------------------------------------- */

/* An empty FIFO reads 0; without FIFOs the last byte stays in the register. */
static uint8_t read_data(struct vuart_regs *r)
{
	if (r->lcr & LCR_DLAB)
		return r->dll;
	if (r->count)
		r->rbr = pop(r);
	else if (r->fcr & FCR_ENABLE)
		return 0;
	return r->rbr;
}

/* Reading the transmitter-empty interrupt acknowledges it. */
static uint8_t read_iir(struct vuart_regs *r)
{
	uint8_t id = interrupt(r);

	if (id == IIR_THRI)
		r->thr_pending = 0;
	return id | (r->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct vuart_regs *r)
{
	uint8_t lsr = r->lsr;

	set_lsr(r, lsr & ~LSR_OE);
	return lsr;
}

/* A modem that is always there; in loopback our own outputs. Nothing ever changes by itself, so no delta bits. */
static uint8_t modem_status(const struct vuart_regs *r)
{
	if (!(r->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (r->mcr & MCR_DTR ? MSR_DSR : 0) | (r->mcr & MCR_RTS ? MSR_CTS : 0) |
	       (r->mcr & MCR_OUT1 ? MSR_RI : 0) | (r->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t read_register(struct vuart_regs *r, unsigned reg)
{
	switch (reg) {
	case UART_DATA:
		return read_data(r);
	case UART_IER:
		return r->lcr & LCR_DLAB ? r->dlm : r->ier;
	case UART_IIR:
		return read_iir(r);
	case UART_LCR:
		return r->lcr;
	case UART_MCR:
		return r->mcr;
	case UART_LSR:
		return read_lsr(r);
	case UART_MSR:
		return modem_status(r);
	default:
		return r->scr;
	}
}

static int __attribute__((noinline)) read_locked(struct vuart *u, uint64_t off, unsigned size, uint64_t *value)
{
	if (!vdev_is_whole(off, size, 8))
		return vdev_split_read(&vuart_type.ops, u, off, size, 8, value);
	if (off >= UART_N_REGS)
		return -EINVAL;
	spin_lock(&u->lock);
	*value = read_register(&u->r, (unsigned)off);
	if (off == UART_DATA || off == UART_IIR || off == UART_LSR)
		vuart_refresh(u);
	vuart_unlock(u, 0);
	return 0;
}

/*
 * A register is one byte; a wider aligned access is one access to it (as QEMU's virt has it). Polling guests
 * read the line status before each byte, hence the way around the lock.
 */
int vuart_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	struct vuart *u = dev;
	uint8_t lsr = __atomic_load_n(&u->r.lsr, __ATOMIC_RELAXED);

	if (off != UART_LSR || size != 1 || lsr & LSR_OE)
		return read_locked(u, off, size, value);
	*value = lsr;
	return 0;
}

/* --- writes ------------------------------------------------------------------ */

/* The transmitter's own byte comes in, over the top when there is no room. */
static void loop_back(struct vuart_regs *r, uint8_t byte)
{
	if (r->count < fifo_capacity(r)) {
		push(r, byte);
		return;
	}
	if (!(r->fcr & FCR_ENABLE))
		r->fifo[r->head] = byte;
	set_lsr(r, r->lsr | LSR_OE);
}

static void write_data(struct vuart_regs *r, uint8_t value)
{
	if (r->lcr & LCR_DLAB) {
		r->dll = value;
		return;
	}
	if (r->mcr & MCR_LOOP)
		loop_back(r, value);
	r->thr_pending = 1; /* full and, at once, empty again */
}

/* Enabling the transmitter-empty interrupt while it is empty raises it, acknowledged before or not. */
static void write_ier(struct vuart_regs *r, uint8_t value)
{
	if (r->lcr & LCR_DLAB) {
		r->dlm = value;
		return;
	}
	if ((r->ier ^ value) & IER_THRI)
		r->thr_pending = 1;
	r->ier = value & IER_ALL;
}

static void write_fcr(struct vuart_regs *r, uint8_t value)
{
	if ((r->fcr ^ value) & FCR_ENABLE)
		value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
	if (value & FCR_CLEAR_RX) {
		r->head = r->count = 0;
		set_lsr(r, r->lsr & ~LSR_DR);
	}
	if (value & FCR_CLEAR_TX)
		r->thr_pending = 1;
	r->fcr = value & FCR_KEPT;
}

static void write_register(struct vuart_regs *r, unsigned reg, uint8_t value)
{
	switch (reg) {
	case UART_DATA:
		write_data(r, value);
		break;
	case UART_IER:
		write_ier(r, value);
		break;
	case UART_FCR:
		write_fcr(r, value);
		break;
	case UART_LCR:
		r->lcr = value;
		break;
	case UART_MCR:
		r->mcr = value & MCR_ALL;
		break;
	case UART_SCR:
		r->scr = value;
		break;
	default: /* the status registers are read only */
		break;
	}
}

static int __attribute__((noinline)) write_locked(struct vuart *u, uint64_t off, unsigned size, uint64_t value)
{
	if (!vdev_is_whole(off, size, 8))
		return vdev_split_write(&vuart_type.ops, u, off, size, 8, value);
	if (off >= UART_N_REGS)
		return -EINVAL;
	spin_lock(&u->lock);
	write_register(&u->r, (unsigned)off, (uint8_t)value);
	vuart_refresh(u);
	vuart_unlock(u, 0);
	return 0;
}

/* A byte for the console leaves before the lock is taken, and without its interrupt none is taken. */
int vuart_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	struct vuart *u = dev;
	char byte = (char)value;

	if (off == UART_DATA && !(u->r.lcr & LCR_DLAB) && !(u->r.mcr & MCR_LOOP)) {
		u->host->console_write(u->host->vm, &byte, 1);
		if (!(u->r.ier & IER_THRI))
			return 0;
	}
	return write_locked(u, off, size, value);
}
