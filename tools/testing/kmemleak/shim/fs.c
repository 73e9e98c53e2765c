// SPDX-License-Identifier: GPL-2.0-only
/* debugfs, user copies and the simple file helpers. */
#include "../os.h"

#define SHIM_MAX_FILES	16

struct dentry {
	const char *name;
	umode_t mode;
	void *data;
	const struct file_operations *fops;
};

static struct dentry shim_files[SHIM_MAX_FILES];

static struct dentry *shim_dentry_new(const char *name)
{
	struct dentry *d;

	for (d = shim_files; d < ARRAY_END(shim_files); d++) {
		if (d->name && !strcmp(d->name, name))
			return ERR_PTR(-EEXIST);
		if (!d->name) {
			d->name = name;
			return d;
		}
	}
	shim_fatal("too many debugfs files");
}

struct dentry *debugfs_create_file(const char *name, umode_t mode, struct dentry *dir,
				   void *data, const struct file_operations *fops)
{
	struct dentry *d = shim_dentry_new(name);

	if (!IS_ERR(d)) {
		d->mode = mode;
		d->data = data;
		d->fops = fops;
	}
	return d;
}

struct dentry *debugfs_create_dir(const char *name, struct dentry *dir)
{
	return shim_dentry_new(name);
}

void debugfs_remove(struct dentry *d)
{
	if (!IS_ERR_OR_NULL(d))
		memset(d, 0, sizeof(*d));
}

const struct file_operations *shim_debugfs_find(const char *name, void **data,
						umode_t *mode)
{
	struct dentry *d;

	for (d = shim_files; d < ARRAY_END(shim_files); d++) {
		if (!d->name || strcmp(d->name, name))
			continue;
		if (data)
			*data = d->data;
		if (mode)
			*mode = d->mode;
		return d->fops;
	}
	return NULL;
}

static bool shim_user_fault(const void *p)
{
	return (unsigned long)p < PAGE_SIZE;
}

unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
	if (shim_user_fault(from))
		return n;
	memcpy(to, from, n);
	return 0;
}

unsigned long copy_to_user(void *to, const void *from, unsigned long n)
{
	if (shim_user_fault(to))
		return n;
	memcpy(to, from, n);
	return 0;
}

int kstrtoul_from_user(const char *s, size_t n, unsigned int base, unsigned long *res)
{
	char buf[32];

	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, s, n);
	buf[n] = '\0';
	return kstrtoul(buf, base, res);
}

long strncpy_from_user(char *dst, const char *src, long n)
{
	long i;

	if (shim_user_fault(src))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		dst[i] = src[i];
		if (!src[i])
			break;
	}
	return i;
}

unsigned long shim_unmapped, shim_unmapped_len;

long copy_from_kernel_nofault(void *dst, const void *src, size_t n)
{
	unsigned long addr = (unsigned long)src;

	if (shim_user_fault(src) ||
	    (addr < shim_unmapped + shim_unmapped_len && addr + n > shim_unmapped))
		return -EFAULT;
	memcpy(dst, src, n);
	return 0;
}

size_t copy_to_iter(const void *p, size_t n, struct iov_iter *i)
{
	n = min(n, i->count);
	n -= copy_to_user(i->buf, p, n);
	i->buf += n;
	i->count -= n;
	return n;
}

/* A pipe is a struct iov_iter of the harness. */
ssize_t copy_splice_read(struct file *f, loff_t *pos, struct pipe_inode_info *p,
			 size_t n, unsigned int flags)
{
	struct iov_iter *to = (struct iov_iter *)p;
	struct kiocb iocb = { .ki_filp = f, .ki_pos = *pos };
	ssize_t ret;

	to->count = min(to->count, n);
	ret = f->f_op->read_iter(&iocb, to);
	if (ret > 0)
		*pos = iocb.ki_pos;
	return ret;
}

ssize_t simple_read_from_buffer(void *to, size_t n, loff_t *pos, const void *from,
				size_t avail)
{
	size_t left;

	if (*pos < 0)
		return -EINVAL;
	if ((size_t)*pos >= avail || !n)
		return 0;
	n = min(n, avail - (size_t)*pos);
	left = copy_to_user(to, (const char *)from + *pos, n);
	if (left == n)
		return -EFAULT;
	n -= left;
	*pos += n;
	return n;
}

ssize_t simple_write_to_buffer(void *to, size_t avail, loff_t *pos, const void *from,
			       size_t n)
{
	if (*pos < 0)
		return -EINVAL;
	if ((size_t)*pos >= avail || !n)
		return 0;
	n = min(n, avail - (size_t)*pos);
	if (copy_from_user((char *)to + *pos, from, n))
		return -EFAULT;
	*pos += n;
	return n;
}

int simple_open(struct inode *i, struct file *f)
{
	if (i->i_private)
		f->private_data = i->i_private;
	return 0;
}

int nonseekable_open(struct inode *i, struct file *f)
{
	return 0;
}

loff_t noop_llseek(struct file *f, loff_t off, int whence)
{
	return f->f_pos;
}

loff_t no_llseek(struct file *f, loff_t off, int whence)
{
	return -ESPIPE;
}

loff_t default_llseek(struct file *f, loff_t off, int whence)
{
	if (whence == SEEK_CUR)
		off += f->f_pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->f_pos = off;
	return off;
}
