obj-y += core/dt/dt.o core/dt/bus.o core/dt/map.o core/dt/index.o core/dt/isa.o core/dt/args.o core/dt/bind.o
