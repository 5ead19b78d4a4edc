/*
 * A network device: asks the gateway of QEMU's user network for its address, and for echoes.
 * Its arguments are commands: `net NAME`, `ping A.B.C.D N BYTES`, `mirror N` (send back N frames), `send N BYTES` (N
 * frames at once), `link` (wait until it changes).
 */
#include "ether.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arch/cpu.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define WORD 32
#define WAIT_US 10000000
#define ETHERTYPE_TEST 0x88b5 /* for experiments, IEEE 802 */

struct net_device *net;

/* --- many frames at once --- */

static struct waitq done_queue = WAITQ_INIT(done_queue);
static unsigned under_way, failed;

static bool all_done(void *arg)
{
	(void)arg;
	return __atomic_load_n(&under_way, __ATOMIC_ACQUIRE) == 0;
}

static void one_done(void *arg, int status)
{
	(void)arg;
	if (status)
		__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&under_way, 1, __ATOMIC_RELEASE);
	waitq_notify_all(&done_queue);
}

/* Header, a byte, the rest: three pieces, all of the same memory. */
static int send_one(uint8_t *data, uint32_t len)
{
	struct segment segs[] = {
		{ data, NET_HEADER_SIZE }, { data + NET_HEADER_SIZE, 1 },
		{ data + NET_HEADER_SIZE + 1, len - NET_HEADER_SIZE - 1 },
	};
	struct net_frame frame = { .segs = segs, .n = ARRAY_SIZE(segs), .len = len };
	int error;

	__atomic_add_fetch(&under_way, 1, __ATOMIC_RELAXED);
	error = send_when_room(&frame, one_done, NULL);
	if (error)
		one_done(NULL, error);
	return error;
}

/* Each has its number in the first two bytes, and then bytes that depend on it. */
static void fill(uint8_t *data, uint32_t len, unsigned number)
{
	ether_header(data, ether_broadcast, ETHERTYPE_TEST);
	put16(data + NET_HEADER_SIZE, (uint16_t)number);
	for (uint32_t i = NET_HEADER_SIZE + 2; i < len; i++)
		data[i] = (uint8_t)(i * 7 + number);
}

static int send_many(unsigned n, uint32_t len)
{
	uint8_t *data = len > NET_HEADER_SIZE + 2 ? kalloc((size_t)n * len) : NULL;
	int error = data ? 0 : -ENOMEM;

	for (unsigned i = 0; !error && i < n; i++) {
		fill(data + (size_t)i * len, len, i);
		error = send_one(data + (size_t)i * len, len);
	}
	waitq_wait(&done_queue, all_done, NULL, UINT64_MAX);
	kfree(data);
	if (error || failed)
		print("send %u: error %d, %u were not sent\n", n, error, failed);
	else
		print("send: %u frames of %u bytes\n", n, (unsigned)len);
	return error ? error : failed ? -EIO : 0;
}

/* --- what it costs --- */

#define COST_BATCH 16u
#define COST_LOOKS 1000000u

/* Look at the device until it has sent everything. @return instructions of the looks that found something. */
static uint64_t end_all(void)
{
	uint64_t counted = 0;

	for (unsigned i = 0; i < COST_LOOKS && !all_done(NULL); i++) {
		unsigned had = __atomic_load_n(&under_way, __ATOMIC_RELAXED);
		uint64_t before = cpu_instret();

		net_poll(net);
		if (__atomic_load_n(&under_way, __ATOMIC_RELAXED) != had)
			counted += cpu_instret() - before;
	}
	return counted;
}

/* Instructions (under --icount) of net_send, and of everything between the device's end of a frame and done(). */
static int cost(unsigned batches, uint32_t len)
{
	uint8_t *data = len > NET_HEADER_SIZE + 2 ? kzalloc(len) : NULL;
	uint64_t sending = 0, ending = 0, n = (uint64_t)COST_BATCH * batches;

	if (!data || batches == 0)
		return print("cost: error %d\n", -ENOMEM), -ENOMEM;
	fill(data, len, 0);
	for (unsigned batch = 0; batch < batches; batch++) {
		irqflags_t flags = irq_save();
		uint64_t before = cpu_instret();

		for (unsigned i = 0; i < COST_BATCH; i++)
			(void)!send_one(data, len);
		sending += cpu_instret() - before;
		ending += end_all();
		irq_restore(flags);
		waitq_wait(&done_queue, all_done, NULL, UINT64_MAX);
	}
	kfree(data);
	print("cost: %u instructions to send, %u to end\n", (unsigned)(sending / n), (unsigned)(ending / n));
	return failed ? -EIO : 0;
}

/* --- send back what comes --- */

static int mirror(unsigned n)
{
	unsigned whole = 0;

	while (whole < n) {
		struct received *r = receive_wait(time_now() + time_from_us(WAIT_US));
		int error;

		if (!r)
			break;
		memcpy(r->data, r->data + NET_MAC_SIZE, NET_MAC_SIZE);
		memcpy(r->data + NET_MAC_SIZE, net->mac, NET_MAC_SIZE);
		error = send_one(r->data, r->len);
		waitq_wait(&done_queue, all_done, NULL, UINT64_MAX);
		receive_done(r);
		if (error)
			return print("mirror: error %d\n", error), error;
		whole++;
	}
	print("mirror: %u frames\n", whole);
	return whole == n ? 0 : -ETIMEDOUT;
}

/* --- commands --- */

static int choose(const char *name)
{
	const uint8_t *mac;
	int error;

	net = net_find(name);
	if (!net)
		return print("%s: no such network device\n", name), -ENOENT;
	error = receive_start();
	if (error)
		return print("%s: error %d\n", name, error), error;
	mac = net->mac;
	print("%s: %02x:%02x:%02x:%02x:%02x:%02x, MTU %u, link %s\n", name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
	      net->mtu, net_link(net) ? "up" : "down");
	return 0;
}

static bool link_is_other(void *was)
{
	return net_link(net) != *(bool *)was;
}

static int wait_for_link(void)
{
	bool was = net_link(net);
	int error;

	print("link: it is %s\n", was ? "up" : "down");
	error = waitq_wait(&link_queue, link_is_other, &was, time_now() + time_from_us(WAIT_US));
	print("link: it is %s\n", net_link(net) ? "up" : "down");
	return error;
}

/* One command and what follows it. @return how many words it has. */
static unsigned command(unsigned n, int *error)
{
	char word[WORD] = "", text[WORD] = "";
	unsigned first = (unsigned)app_arg_number(n + 1, 0), second = (unsigned)app_arg_number(n + 2, 0);

	app_arg(n, word, sizeof(word));
	app_arg(n + 1, text, sizeof(text));
	if (strcmp(word, "net") == 0)
		return *error = choose(text), 2;
	if (strcmp(word, "ping") == 0)
		return *error = ping(text, second, (uint32_t)app_arg_number(n + 3, 56)), 4;
	if (strcmp(word, "mirror") == 0)
		return *error = mirror(first), 2;
	if (strcmp(word, "send") == 0)
		return *error = send_many(first, second), 3;
	if (strcmp(word, "cost") == 0)
		return *error = cost(first, second), 3;
	if (strcmp(word, "link") == 0)
		return *error = wait_for_link(), 1;
	print("%s: no such command\n", word);
	return *error = -EINVAL, 1;
}

static bool run_commands(void)
{
	char word[2];
	bool good = true;

	for (unsigned n = 0; app_arg(n, word, sizeof(word)) >= 0;) {
		int error = 0;

		n += command(n, &error);
		good = good && !error;
		if (!net)
			break;
	}
	return good;
}

int main(void)
{
	char word[2];

	if (choose("net0"))
		return 1;
	if (app_arg(0, word, sizeof(word)) < 0)
		return ping("10.0.2.2", 3, 56) != 0;
	return !run_commands();
}
