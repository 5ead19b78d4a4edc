obj-y += core/time/time.o core/time/timer.o
