/* The VM list: ids and names are unique (H6). */
#include <errno.h>
#include <string.h>

#include <caisson/spinlock.h>
#include <vmm/vm.h>

/* Guards the links; VMs are created and destroyed by the manager task only. */
static spinlock_t lock;
static struct list vms = LIST_INIT(vms);

static struct vm *find(bool (*is)(const struct vm *, const void *), const void *key)
{
	list_for_each(vm, &vms, struct vm, node) {
		if (is(vm, key))
			return vm;
	}
	return NULL;
}

static bool has_name(const struct vm *vm, const void *name)
{
	return strcmp(vm->config->name, name) == 0;
}

static bool has_id(const struct vm *vm, const void *id)
{
	return vm->id == *(const unsigned *)id;
}

static struct vm *find_locked(bool (*is)(const struct vm *, const void *), const void *key)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	struct vm *vm = find(is, key);

	spin_unlock_irqrestore(&lock, flags);
	return vm;
}

/* With the smallest free id, and at its place: the list is in order of id. */
static void insert(struct vm *vm)
{
	struct list *at = &vms;

	vm->id = 0;
	list_for_each(other, &vms, struct vm, node) {
		if (other->id != vm->id) {
			at = &other->node;
			break;
		}
		vm->id++;
	}
	list_push_back(at, &vm->node);
}

int vm_list_add(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	int error = 0;

	if (find(has_name, vm->config->name))
		error = -EEXIST;
	else
		insert(vm);
	spin_unlock_irqrestore(&lock, flags);
	return error;
}

void vm_list_remove(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	list_del(&vm->node);
	spin_unlock_irqrestore(&lock, flags);
}

struct vm *vm_by_id(unsigned id)
{
	return find_locked(has_id, &id);
}

struct vm *vm_by_name(const char *name)
{
	return find_locked(has_name, name);
}

void vm_for_each(bool (*fn)(struct vm *vm, void *arg), void *arg)
{
	list_for_each_safe(vm, next, &vms, struct vm, node) {
		if (!fn(vm, arg))
			return;
	}
}
