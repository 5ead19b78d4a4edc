# One to a line: several people add to it at a time.
obj-$(CONFIG_PROCESS) += $(addprefix process/, \
	process.o \
	tree.o \
	threads.o \
	run.o \
	fork.o \
	signal.o \
	signal_queue.o \
	signal_frame.o \
	mm.o \
	mm_range.o \
	shared.o \
	copy.o \
	elf.o \
	exec.o \
	stack.o \
	file.o \
	file_vfs.o \
	tty.o \
	tty_line.o \
	console_file.o \
	jobs.o \
	device.o \
	devfs.o \
	procfs.o \
	proc_system.o \
	proc_process.o \
	pipe.o \
	watch.o \
	alarm.o \
	usage.o \
	timerfd.o \
	linux_abi.o \
	syscall.o \
	futex.o \
	limits.o \
	sys_file.o \
	sys_poll.o \
	flock.o \
	sys_path.o \
	sys_name.o \
	sys_attribute.o \
	sys_mount.o \
	sys_memory.o \
	sys_process.o \
	sys_signal.o \
	sys_time.o \
	sys_timer.o \
	sys_system.o \
	sys_thread.o \
	sys_futex.o)
ifeq ($(CONFIG_PROCESS),y)
obj-$(CONFIG_BLOCK) += process/disk.o
endif
ifeq ($(CONFIG_PROCESS),y)
obj-$(CONFIG_DEBUG_FAIL_ALLOC) += process/failalloc.o
endif
