/*
 * virtio console (virtio 1.2, section 5.3), its first port: a line for the machine that has no other, or when our boot
 * argument console=virtio asks for it. It takes over when boot's drivers are there; until then the other line, or the
 * firmware, has what is written, and so it is again when the device breaks.
 *
 * What is sent is the console lock's: all of it happens under that lock. So a device that is caught lying there
 * cannot be told of at once; the timer does that. The timer also stands in where the console wants to hear of
 * something that no interrupt will tell.
 */
#include <errno.h>
#include <string.h>

#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>
#include <caisson/virtio.h>

#define LOG_NAME "virtio-console"

#define PIECES 64u       /* at most, under way to the device */
#define PIECE 128u       /* bytes */
#define RX_PIECES 4u

enum { RECEIVE_QUEUE = 0, SEND_QUEUE = 1 };
enum { F_SIZE = 0 };                          /* section 5.3.3 */
enum { CONFIG_COLUMNS = 0, CONFIG_ROWS = 2 }; /* section 5.3.4 */

struct piece {
	struct piece *next;    /* free list */
	uint32_t len, taken;   /* received: bytes that it has, and that the console has had */
	char bytes[PIECE];
};

struct port {
	struct virtio_device *vdev;
	struct virtq *rx, *tx;
	struct timer timer;    /* armed under the console lock */
	uint32_t held;         /* atomic: the console holds the sender back */
	uint32_t told;         /* atomic: the log has that it is broken */
	bool bound;            /* it is the console */
	struct piece *free;    /* under the console lock, as the next */
	unsigned n_sent;       /* pieces under way */
	spinlock_t rx_lock;    /* guards what follows and the queue; inside it: the console lock */
	struct piece *kept;    /* received, not yet all taken by the console */
	struct piece pieces[PIECES + RX_PIECES];
};

static struct port *port; /* the first one found */

/* --- what is sent; under the console lock --- */

static void put_back(struct port *p, struct piece *piece)
{
	piece->next = p->free;
	p->free = piece;
}

static void call_handler_soon(struct port *p)
{
	timer_arm(&p->timer, time_now());
}

/* @return false: the device is broken. */
static bool harvest(struct port *p)
{
	struct piece *piece;
	uint32_t written;

	if (virtio_is_broken(p->vdev))
		return false;
	while ((piece = virtq_take(p->tx, &written)) != NULL) {
		put_back(p, piece);
		p->n_sent--;
	}
	if (!virtio_is_broken(p->vdev))
		return true;
	call_handler_soon(p); /* to tell of it */
	return false;
}

static void send_piece(struct port *p, const char *buf, uint32_t n)
{
	struct piece *piece = p->free;

	p->free = piece->next;
	memcpy(piece->bytes, buf, n);
	if (virtq_add(p->tx, &(struct virtq_buf){ piece->bytes, n, false }, 1, piece))
		put_back(p, piece);
	else
		p->n_sent++;
}

static size_t write_to_firmware(const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sbi_putchar(buf[i]);
	return n;
}

static size_t port_write(void *dev, const char *buf, size_t n)
{
	struct port *p = dev;
	size_t done = 0;

	if (!harvest(p))
		return write_to_firmware(buf, n);
	while (done < n && p->free) {
		size_t len = MIN(n - done, PIECE);

		send_piece(p, buf + done, (uint32_t)len);
		done += len;
	}
	virtq_kick(p->tx);
	return done;
}

static bool port_idle(void *dev)
{
	struct port *p = dev;

	return !harvest(p) || p->n_sent == 0;
}

/* A finished piece interrupts anyway; without one under way, or with a broken device, nothing would. */
static void port_tx_interrupt(void *dev, bool on)
{
	struct port *p = dev;

	if (on && (p->n_sent == 0 || virtio_is_broken(p->vdev)))
		call_handler_soon(p);
}

static void port_rx_hold(void *dev, bool hold)
{
	struct port *p = dev;

	__atomic_store_n(&p->held, hold ? 1 : 0, __ATOMIC_RELEASE);
	if (!hold)
		call_handler_soon(p);
}

/* --- what is received --- */

static void offer(struct port *p, struct piece *piece)
{
	if (virtq_add(p->rx, &(struct virtq_buf){ piece->bytes, PIECE, true }, 1, piece) == 0)
		virtq_kick(p->rx);
}

static bool take_piece(struct port *p)
{
	uint32_t len;

	p->kept = virtq_take(p->rx, &len);
	if (!p->kept)
		return false;
	p->kept->len = len;
	p->kept->taken = 0;
	return true;
}

/*
 * What the console does not take is kept, until port_rx_hold says that it has room again. The device gets its pieces
 * back afterwards, so that there is an end to what it can bring.
 */
static void receive(struct port *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->rx_lock);
	struct piece *done = NULL, *piece;

	while (!__atomic_load_n(&p->held, __ATOMIC_ACQUIRE) && (p->kept || take_piece(p))) {
		piece = p->kept;
		piece->taken += (uint32_t)console_receive(piece->bytes + piece->taken, piece->len - piece->taken);
		if (piece->taken < piece->len)
			continue;
		p->kept = NULL;
		piece->next = done;
		done = piece;
	}
	for (; done && !virtio_is_broken(p->vdev); done = piece) {
		piece = done->next;
		offer(p, done);
	}
	spin_unlock_irqrestore(&p->rx_lock, flags);
}

/* --- handlers --- */

/* The core does not say it, because it may be the console's own write that finds out. */
static void tell_if_broken(struct port *p)
{
	if (virtio_is_broken(p->vdev) && !__atomic_exchange_n(&p->told, 1, __ATOMIC_ACQ_REL))
		log_error("%s: the device %s: reset, and the firmware's console again", p->vdev->name, p->vdev->why);
}

static void handle(struct port *p)
{
	receive(p);
	tell_if_broken(p);
	console_tx_ready();
}

static void port_timer(struct timer *t)
{
	handle(container_of(t, struct port, timer));
}

/* A port that is not the console is left alone. */
static void port_used(struct virtq *q)
{
	struct port *p = virtq_device(q)->priv;

	if (p->bound)
		handle(p);
}

static void port_broken(struct virtio_device *vdev)
{
	struct port *p = vdev->priv;

	tell_if_broken(p);
	if (p->bound)
		console_tx_ready();
}

static void read_size(struct virtio_device *vdev)
{
	struct port *p = vdev->priv;
	uint64_t columns, rows;

	if (!p->bound || !virtio_has(vdev, F_SIZE) ||
	    virtio_config(vdev, CONFIG_COLUMNS, sizeof(uint16_t), &columns) ||
	    virtio_config(vdev, CONFIG_ROWS, sizeof(uint16_t), &rows))
		return;
	console_resize((struct console_size){ (uint16_t)columns, (uint16_t)rows });
}

/* --- set-up --- */

static const struct console_driver interrupt_driver = {
	.name = "virtio",
	.write = port_write,
	.tx_interrupt = port_tx_interrupt,
	.rx_hold = port_rx_hold,
	.idle = port_idle,
};

/* Without an interrupt the line is output only. */
static const struct console_driver polled_driver = {
	.name = "virtio",
	.write = port_write,
	.idle = port_idle,
};

static int port_probe(struct virtio_device *vdev)
{
	struct port *p = port ? NULL : kzalloc(sizeof(*p));
	int error = port ? -ENODEV : p ? virtq_create(vdev, RECEIVE_QUEUE, RX_PIECES, port_used, &p->rx) : -ENOMEM;

	if (!error)
		error = virtq_create(vdev, SEND_QUEUE, PIECES, port_used, &p->tx);
	if (error) {
		kfree(p);
		return error;
	}
	p->vdev = vdev;
	p->rx_lock = (spinlock_t)SPINLOCK_INIT;
	timer_init(&p->timer, port_timer);
	for (unsigned i = 0; i < PIECES; i++)
		put_back(p, &p->pieces[i]);
	vdev->priv = p;
	vdev->quiet = true;
	virtio_ready(vdev);
	port = p;
	return 0;
}

static bool is_asked_for(void)
{
	char name[8];

	return boot_arg("console", name, sizeof(name)) && strcmp(name, "virtio") == 0;
}

/* Boot's drivers are all there. */
static void take_over(void)
{
	irqflags_t flags;

	if (!port || (console_is_bound() && !is_asked_for()))
		return;
	log_info("%s: the console", port->vdev->name);
	console_flush();
	port->bound = true;
	console_register(port->vdev->polled ? &polled_driver : &interrupt_driver, port);
	console_set_framed(console_framed()); /* nobody there knows whose bytes come */
	flags = spin_lock_irqsave(&port->rx_lock);
	for (unsigned i = 0; i < RX_PIECES; i++)
		offer(port, &port->pieces[PIECES + i]);
	spin_unlock_irqrestore(&port->rx_lock, flags);
	read_size(port->vdev);
}

CONSTRUCTOR(take_over);

VIRTIO_DRIVER(virtio_console) = {
	.name = "virtio-console",
	.device_id = VIRTIO_ID_CONSOLE,
	.features = BIT(F_SIZE),
	.probe = port_probe,
	.broken = port_broken,
	.config_changed = read_size,
};
