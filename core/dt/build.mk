obj-y += core/dt/dt.o core/dt/index.o core/dt/isa.o core/dt/args.o core/dt/bind.o
