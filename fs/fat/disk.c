/* What the FatFs library asks for: sectors of the device, and memory. */
#include <errno.h>

#include <caisson/mm.h>

#include "fat.h"

DRESULT disk_read(void *drv, BYTE *buff, DWORD sector, UINT count)
{
	struct fat *fat = drv;
	int err = block_read(fat->dev, sector, buff, count);

	if (err)
		fat->io_error = err;
	return err ? RES_ERROR : RES_OK;
}

/* Numbers in a damaged volume must not lead to writes outside it. */
DRESULT disk_write(void *drv, const BYTE *buff, DWORD sector, UINT count)
{
	struct fat *fat = drv;
	int err = -EIO;

	if (sector >= fat->first && (uint64_t)sector + count <= fat->end)
		err = block_write(fat->dev, sector, buff, count);
	if (err)
		fat->io_error = err;
	return err ? RES_ERROR : RES_OK;
}

DRESULT disk_ioctl(void *drv, BYTE cmd, void *buff)
{
	struct fat *fat = drv;
	int err;

	switch (cmd) {
	case IOCTL_INIT:
	case IOCTL_STATUS:
		*(DSTATUS *)buff = fat->read_only ? STA_PROTECT : 0;
		return RES_OK;
	case CTRL_SYNC:
		err = fat->read_only ? 0 : block_flush(fat->dev);
		if (err)
			fat->io_error = err;
		return err ? RES_ERROR : RES_OK;
	}
	return RES_PARERR;
}

void *ff_memalloc(UINT msize)
{
	return kalloc(msize);
}

void ff_memfree(void *mblock)
{
	kfree(mblock);
}
