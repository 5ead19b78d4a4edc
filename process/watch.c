/* Lists of those who wait for changes (watch.h). */
#include "watch.h"

void watch_list_init(struct watch_list *l)
{
	l->lock = (spinlock_t)SPINLOCK_INIT;
	list_init(&l->watchers);
}

void watch_wait_init(struct watch_wait *w)
{
	waitq_init(&w->queue);
	w->changed = false;
}

void watch_add(struct watcher *w, struct watch_list *list, struct watch_wait *wait)
{
	irqflags_t flags;

	w->list = list;
	w->wait = wait;
	if (!list)
		return;
	flags = spin_lock_irqsave(&list->lock);
	list_push_back(&list->watchers, &w->node);
	spin_unlock_irqrestore(&list->lock, flags);
	/* In the list first, then a look: watch_tell does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void watch_remove(struct watcher *w)
{
	irqflags_t flags;

	if (!w->list)
		return;
	flags = spin_lock_irqsave(&w->list->lock);
	list_del(&w->node);
	spin_unlock_irqrestore(&w->list->lock, flags);
	w->list = NULL;
}

void watch_tell(struct watch_list *l)
{
	irqflags_t flags;

	/* Hardly ever does anybody watch: a fence is cheaper than the lock. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&l->watchers.next, __ATOMIC_RELAXED) == &l->watchers)
		return;
	flags = spin_lock_irqsave(&l->lock);
	list_for_each(w, &l->watchers, struct watcher, node) {
		__atomic_store_n(&w->wait->changed, true, __ATOMIC_RELEASE);
		waitq_notify_all(&w->wait->queue);
	}
	spin_unlock_irqrestore(&l->lock, flags);
}
