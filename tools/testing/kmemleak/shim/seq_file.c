// SPDX-License-Identifier: GPL-2.0-only
/*
 * seq_file with the visible behaviour of the kernel: the calls of start(), next() and
 * stop(), the growth of the buffer for a record that does not fit, and the result of
 * reads of any size at any offset.
 */
#include <stdlib.h>

#include "../os.h"

int seq_open(struct file *f, const struct seq_operations *op)
{
	struct seq_file *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return -ENOMEM;
	mutex_init(&m->lock);
	m->op = op;
	m->file = f;
	f->private_data = m;
	f->f_mode &= ~FMODE_WRITE;
	return 0;
}

int seq_release(struct inode *i, struct file *f)
{
	struct seq_file *m = f->private_data;

	kvfree(m->buf);
	kfree(m);
	return 0;
}

static bool shim_seq_grow(struct seq_file *m)
{
	m->size = m->buf ? m->size * 2 : PAGE_SIZE;
	kvfree(m->buf);
	m->count = 0;
	m->buf = kvmalloc(m->size, GFP_KERNEL);
	return m->buf;
}

/*
 * Skip to byte @offset: print all records before it again. The rest of the record at
 * the offset is left in the buffer.
 */
static int shim_seq_skip(struct seq_file *m, loff_t offset)
{
	loff_t pos = 0;
	int err = 0;
	void *p;

restart:
	m->index = 0;
	m->count = 0;
	m->from = 0;
	if (!offset)
		return 0;
	if (!m->buf && !shim_seq_grow(m))
		return -ENOMEM;
	pos = 0;
	p = m->op->start(m, &m->index);
	while (p) {
		err = IS_ERR(p) ? PTR_ERR(p) : m->op->show(m, p);
		if (IS_ERR(p) || err < 0)
			break;
		if (err) {
			err = 0;
			m->count = 0;
		}
		if (seq_has_overflowed(m)) {
			m->op->stop(m, p);
			if (!shim_seq_grow(m))
				return -ENOMEM;
			goto restart;
		}
		p = m->op->next(m, p, &m->index);
		if (pos + (loff_t)m->count > offset) {
			m->from = offset - pos;
			m->count -= m->from;
			break;
		}
		pos += m->count;
		m->count = 0;
		if (pos == offset)
			break;
	}
	m->op->stop(m, p);
	return err;
}

/* Show records until one is not empty; 1 if there is one, 0 at the end. */
static int shim_seq_first(struct seq_file *m, void **pp)
{
	void *p = m->op->start(m, &m->index);
	int err;

	while (p && !IS_ERR(p)) {
		err = m->op->show(m, p);
		if (err < 0)
			goto out;
		if (err)
			m->count = 0;
		if (!m->count) {
			p = m->op->next(m, p, &m->index);
			continue;
		}
		if (!seq_has_overflowed(m)) {
			*pp = p;
			return 1;
		}
		m->op->stop(m, p);
		if (!shim_seq_grow(m))
			return -ENOMEM;
		p = m->op->start(m, &m->index);
	}
	err = IS_ERR(p) ? PTR_ERR(p) : 0;
out:
	m->op->stop(m, p);
	m->count = 0;
	return err;
}

/* Add further whole records while the reader has room for them. */
static void shim_seq_more(struct seq_file *m, void *p, size_t room)
{
	for (;;) {
		size_t before = m->count;
		loff_t pos = m->index;
		int err;

		p = m->op->next(m, p, &m->index);
		if (pos == m->index)
			shim_fatal("next() did not move the position");
		if (!p || IS_ERR(p) || m->count >= room)
			break;
		err = m->op->show(m, p);
		if (err > 0) {
			m->count = before;
		} else if (err || seq_has_overflowed(m)) {
			m->count = before;
			break;
		}
	}
	m->op->stop(m, p);
}

static size_t shim_seq_copy(struct seq_file *m, struct iov_iter *to)
{
	size_t n = copy_to_iter(m->buf + m->from, m->count, to);

	m->count -= n;
	m->from += n;
	return n;
}

ssize_t seq_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct seq_file *m = iocb->ki_filp->private_data;
	ssize_t copied = 0;
	void *p = NULL;
	int err = 0;

	if (!iov_iter_count(to))
		return 0;
	mutex_lock(&m->lock);
	if (!iocb->ki_pos) {
		m->index = 0;
		m->count = 0;
	}
	if (iocb->ki_pos != m->read_pos) {
		err = shim_seq_skip(m, iocb->ki_pos);
		m->read_pos = err ? 0 : iocb->ki_pos;
		if (err) {
			m->index = 0;
			m->count = 0;
			goto done;
		}
	}
	if (!m->buf && !shim_seq_grow(m)) {
		err = -ENOMEM;
		goto done;
	}
	if (m->count) {
		copied = shim_seq_copy(m, to);
		if (m->count)
			goto done;
	}
	m->from = 0;
	err = shim_seq_first(m, &p);
	if (err == 1) {
		err = 0;
		shim_seq_more(m, p, iov_iter_count(to));
		copied += shim_seq_copy(m, to);
	}
done:
	if (!copied) {
		copied = m->count ? -EFAULT : err;
	} else {
		iocb->ki_pos += copied;
		m->read_pos += copied;
	}
	mutex_unlock(&m->lock);
	return copied;
}

ssize_t seq_read(struct file *f, char *buf, size_t n, loff_t *pos)
{
	struct kiocb iocb = { .ki_filp = f, .ki_pos = *pos };
	struct iov_iter to = { .buf = buf, .count = n };
	ssize_t ret = seq_read_iter(&iocb, &to);

	*pos = iocb.ki_pos;
	return ret;
}

loff_t seq_lseek(struct file *f, loff_t off, int whence)
{
	struct seq_file *m = f->private_data;
	loff_t ret = -EINVAL;

	mutex_lock(&m->lock);
	if (whence == SEEK_CUR)
		off += f->f_pos;
	if ((whence == SEEK_CUR || whence == SEEK_SET) && off >= 0) {
		ret = off;
		if (off != m->read_pos) {
			int err = shim_seq_skip(m, off);

			if (err) {
				f->f_pos = 0;
				m->read_pos = 0;
				m->index = 0;
				m->count = 0;
				ret = err;
			} else {
				m->read_pos = off;
				f->f_pos = off;
			}
		} else {
			f->f_pos = off;
		}
	}
	mutex_unlock(&m->lock);
	return ret;
}

void seq_vprintf(struct seq_file *m, const char *fmt, va_list ap)
{
	int n;

	if (m->count < m->size) {
		n = shim_vsnprintf(m->buf + m->count, m->size - m->count, fmt, ap);
		if (m->count + n < m->size) {
			m->count += n;
			return;
		}
	}
	m->count = m->size;
}

void seq_printf(struct seq_file *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	seq_vprintf(m, fmt, ap);
	va_end(ap);
}

int seq_write(struct seq_file *m, const void *p, size_t n)
{
	if (m->count + n < m->size) {
		memcpy(m->buf + m->count, p, n);
		m->count += n;
		return 0;
	}
	m->count = m->size;
	return -1;
}

void seq_puts(struct seq_file *m, const char *s)
{
	seq_write(m, s, strlen(s));
}

/* Escapes bytes of @only, and with ESCAPE_NAP those that are not printable ASCII. */
void seq_escape_str(struct seq_file *m, const char *s, unsigned int flags, const char *only)
{
	for (; *s; s++)
		if (strchr(only, *s) || (flags & ESCAPE_NAP && (*s < ' ' || *s > '~')))
			seq_printf(m, "\\%03o", (unsigned char)*s);
		else
			seq_putc(m, *s);
}

void seq_putc(struct seq_file *m, char c)
{
	if (m->count < m->size)
		m->buf[m->count++] = c;
}

void seq_hex_dump(struct seq_file *m, const char *prefix, int type, int rowsize,
		  int groupsize, const void *buf, size_t len, bool ascii)
{
	char line[32 * 3 + 2 + 32 + 1];
	const u8 *p = buf;
	size_t i;

	for (i = 0; i < len && !seq_has_overflowed(m); i += rowsize) {
		hex_dump_to_buffer(p + i, min_t(size_t, len - i, rowsize), rowsize,
				   groupsize, line, sizeof(line), ascii);
		if (type == DUMP_PREFIX_ADDRESS)
			seq_printf(m, "%s%p: ", prefix, p + i);
		else if (type == DUMP_PREFIX_OFFSET)
			seq_printf(m, "%s%.8x: ", prefix, (unsigned int)i);
		else
			seq_puts(m, prefix);
		seq_printf(m, "%s\n", line);
	}
}

void *__seq_open_private(struct file *f, const struct seq_operations *op, int size)
{
	void *priv = kzalloc(size, GFP_KERNEL_ACCOUNT);

	if (!priv)
		return NULL;
	if (seq_open(f, op)) {
		kfree(priv);
		return NULL;
	}
	((struct seq_file *)f->private_data)->private = priv;
	return priv;
}

int seq_open_private(struct file *f, const struct seq_operations *op, int size)
{
	return __seq_open_private(f, op, size) ? 0 : -ENOMEM;
}

int seq_release_private(struct inode *i, struct file *f)
{
	struct seq_file *m = f->private_data;

	kfree(m->private);
	return seq_release(i, f);
}

/* One record; the operations are a copy of the opener's own. */
static void *shim_single_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? NULL : SEQ_START_TOKEN;
}

static void *shim_single_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return NULL;
}

static void shim_single_stop(struct seq_file *m, void *v)
{
}

int single_open(struct file *f, int (*show)(struct seq_file *m, void *v), void *data)
{
	struct seq_operations *op = kzalloc(sizeof(*op), GFP_KERNEL);
	int err = op ? 0 : -ENOMEM;

	if (!err) {
		op->start = shim_single_start;
		op->next = shim_single_next;
		op->stop = shim_single_stop;
		op->show = show;
		err = seq_open(f, op);
		if (!err)
			((struct seq_file *)f->private_data)->private = data;
		else
			kfree(op);
	}
	return err;
}

int single_open_size(struct file *f, int (*show)(struct seq_file *m, void *v),
		     void *data, size_t size)
{
	return single_open(f, show, data);
}

int single_release(struct inode *i, struct file *f)
{
	const struct seq_operations *op = ((struct seq_file *)f->private_data)->op;

	seq_release(i, f);
	kfree(op);
	return 0;
}
