/* SPDX-License-Identifier: GPL-2.0-only */
/* Printing, files, parameters, boot hooks, stack traces, static keys. */
#ifndef _SHIM_IO_H
#define _SHIM_IO_H

#include "mm.h"

/* Messages go to a log that the harness reads; see printk.c. */
#define KERN_SOH	"\001"
#define KERN_EMERG	KERN_SOH "0"
#define KERN_ALERT	KERN_SOH "1"
#define KERN_CRIT	KERN_SOH "2"
#define KERN_ERR	KERN_SOH "3"
#define KERN_WARNING	KERN_SOH "4"
#define KERN_NOTICE	KERN_SOH "5"
#define KERN_INFO	KERN_SOH "6"
#define KERN_DEBUG	KERN_SOH "7"
#define KERN_CONT	KERN_SOH "c"
#define KERN_DEFAULT	""
int shim_printk(const char *fmt, ...);
int shim_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap);
int shim_snprintf(char *buf, size_t n, const char *fmt, ...);
int shim_scnprintf(char *buf, size_t n, const char *fmt, ...);
#define printk(x...)	shim_printk(x)
#define _printk(x...)	shim_printk(x)
#define printk_deferred(x...) shim_printk_deferred(x)
int shim_printk_deferred(const char *fmt, ...);
#define snprintf(x...)	shim_snprintf(x)
#define scnprintf(x...)	shim_scnprintf(x)
#define sprintf(b, x...) shim_snprintf(b, INT_MAX, x)
#define vsnprintf(x...)	shim_vsnprintf(x)
#define pr_emerg(f, x...) printk(KERN_EMERG pr_fmt(f), ##x)
#define pr_alert(f, x...) printk(KERN_ALERT pr_fmt(f), ##x)
#define pr_crit(f, x...) printk(KERN_CRIT pr_fmt(f), ##x)
#define pr_err(f, x...)	printk(KERN_ERR pr_fmt(f), ##x)
#define pr_warn(f, x...) printk(KERN_WARNING pr_fmt(f), ##x)
#define pr_notice(f, x...) printk(KERN_NOTICE pr_fmt(f), ##x)
#define pr_info(f, x...) printk(KERN_INFO pr_fmt(f), ##x)
#define pr_cont(f, x...) printk(KERN_CONT f, ##x)
#define no_printk(f, x...) ({ if (0) shim_printk(f, ##x); 0; })
#define pr_debug(f, x...) no_printk(f, ##x)
#define pr_devel(f, x...) no_printk(f, ##x)
#define __shim_once(stmt) ({ static bool __done;			\
	if (!__atomic_exchange_n(&__done, true, __ATOMIC_RELAXED))	\
		stmt; })
#define printk_once(x...) __shim_once(printk(x))
#define pr_warn_once(x...) __shim_once(pr_warn(x))
#define pr_info_once(x...) __shim_once(pr_info(x))
#define pr_err_once(x...) __shim_once(pr_err(x))
#define pr_notice_once(x...) __shim_once(pr_notice(x))
#define pr_warn_ratelimited(x...) pr_warn(x)
#define pr_info_ratelimited(x...) pr_info(x)
#define pr_err_ratelimited(x...) pr_err(x)
#define printk_deferred_enter() shim_printk_deferring(true)
#define printk_deferred_exit() shim_printk_deferring(false)
void shim_printk_deferring(bool on);
void dump_stack(void);
extern int oops_in_progress, panic_on_warn;
/* The CPU that panics: a test may set it. */
extern atomic_t panic_cpu;
#define PANIC_CPU_INVALID (-1)
#define panic(x...)	shim_fatal(x)

enum { DUMP_PREFIX_NONE, DUMP_PREFIX_ADDRESS, DUMP_PREFIX_OFFSET };
int hex_dump_to_buffer(const void *buf, size_t len, int rowsize, int groupsize,
		       char *linebuf, size_t linebuflen, bool ascii);
void print_hex_dump(const char *level, const char *prefix, int type, int rowsize,
		    int groupsize, const void *buf, size_t len, bool ascii);

/* A warning is counted and logged; test programs fail then. */
extern int shim_warnings;
bool shim_warn(const char *file, int line, const char *what);
#define WARN_ON(c) ({ bool __w = !!(c);					\
	if (unlikely(__w))						\
		shim_warn(__FILE__, __LINE__, #c);			\
	unlikely(__w); })
#define WARN_ON_ONCE(c) WARN_ON(c)
#define WARN(c, x...) ({ bool __w = !!(c);				\
	if (unlikely(__w)) {						\
		shim_warn(__FILE__, __LINE__, #c);			\
		printk(x);						\
	}								\
	unlikely(__w); })
#define WARN_ONCE(c, x...) WARN(c, x)
#define VM_WARN_ON(c)	((void)WARN_ON(c))
#define VM_WARN_ON_ONCE(c) WARN_ON(c)
#define VM_BUG_ON(c)	BUG_ON(c)
#define BUG_ON(c) do {							\
	if (unlikely(c))						\
		shim_fatal("BUG at %s:%d: %s", __FILE__, __LINE__, #c);	\
} while (0)
#define BUG()		shim_fatal("BUG at %s:%d", __FILE__, __LINE__)

/* Files. */
struct inode {
	void *i_private;
};

struct file;
struct dentry;
struct poll_table_struct;
struct pipe_inode_info;
struct kiocb;
struct iov_iter;

struct file_operations {
	struct module *owner;
	loff_t (*llseek)(struct file *f, loff_t off, int whence);
	ssize_t (*read)(struct file *f, char *buf, size_t n, loff_t *pos);
	ssize_t (*write)(struct file *f, const char *buf, size_t n, loff_t *pos);
	ssize_t (*read_iter)(struct kiocb *iocb, struct iov_iter *to);
	ssize_t (*splice_read)(struct file *f, loff_t *pos, struct pipe_inode_info *p,
			       size_t n, unsigned int flags);
	int (*open)(struct inode *i, struct file *f);
	int (*release)(struct inode *i, struct file *f);
	int (*flush)(struct file *f, void *id);
	unsigned int fop_flags;
};

struct file {
	const struct file_operations *f_op;
	void *private_data;
	struct inode *f_inode;
	loff_t f_pos;
	unsigned int f_flags;
	fmode_t f_mode;
};

/* The buffer of ->read_iter() and ->splice_read(). */
struct kiocb {
	struct file *ki_filp;
	loff_t ki_pos;
};

struct iov_iter {
	char *buf;
	size_t count;
};

#define iov_iter_count(i) ((i)->count)
size_t copy_to_iter(const void *p, size_t n, struct iov_iter *i);
ssize_t copy_splice_read(struct file *f, loff_t *pos, struct pipe_inode_info *p,
			 size_t n, unsigned int flags);
#define file_inode(f)	((f)->f_inode)
#define FMODE_READ	1u
#define FMODE_WRITE	2u
#ifndef SEEK_SET
#define SEEK_SET	0
#define SEEK_CUR	1
#define SEEK_END	2
#endif
loff_t noop_llseek(struct file *f, loff_t off, int whence);
loff_t no_llseek(struct file *f, loff_t off, int whence);
loff_t default_llseek(struct file *f, loff_t off, int whence);
int simple_open(struct inode *i, struct file *f);
int nonseekable_open(struct inode *i, struct file *f);
ssize_t simple_read_from_buffer(void *to, size_t n, loff_t *pos, const void *from, size_t avail);
ssize_t simple_write_to_buffer(void *to, size_t avail, loff_t *pos, const void *from, size_t n);
/* User memory is memory of this process; addresses in the first page fault. */
unsigned long copy_from_user(void *to, const void *from, unsigned long n);
unsigned long copy_to_user(void *to, const void *from, unsigned long n);
long strncpy_from_user(char *dst, const char *src, long n);
#define put_user(v, p)	(*(p) = (v), 0)
#define get_user(v, p)	((v) = *(p), 0)

struct dentry *debugfs_create_file(const char *name, umode_t mode, struct dentry *dir,
				   void *data, const struct file_operations *fops);
struct dentry *debugfs_create_dir(const char *name, struct dentry *dir);
void debugfs_remove(struct dentry *d);
#define debugfs_remove_recursive(d) debugfs_remove(d)
#define debugfs_create_file_unsafe(n, m, d, p, f) debugfs_create_file(n, m, d, p, f)
#define debugfs_create_u32(n, m, d, v) ((void)(v))
#define debugfs_create_ulong(n, m, d, v) ((void)(v))
#define debugfs_create_bool(n, m, d, v) ((void)(v))
#define debugfs_initialized() true
/* For the harness. */
const struct file_operations *shim_debugfs_find(const char *name, void **data, umode_t *mode);

/* seq_file */
struct seq_operations;
struct seq_file {
	char *buf;
	size_t size, from, count;
	size_t pad_until;
	loff_t index, read_pos;
	struct mutex lock;
	const struct seq_operations *op;
	struct file *file;
	void *private;
};

struct seq_operations {
	void *(*start)(struct seq_file *m, loff_t *pos);
	void (*stop)(struct seq_file *m, void *v);
	void *(*next)(struct seq_file *m, void *v, loff_t *pos);
	int (*show)(struct seq_file *m, void *v);
};

#define SEQ_START_TOKEN	((void *)1)
#define SEQ_SKIP	1
int seq_open(struct file *f, const struct seq_operations *op);
ssize_t seq_read(struct file *f, char *buf, size_t n, loff_t *pos);
ssize_t seq_read_iter(struct kiocb *iocb, struct iov_iter *to);
loff_t seq_lseek(struct file *f, loff_t off, int whence);
int seq_release(struct inode *i, struct file *f);
int seq_release_private(struct inode *i, struct file *f);
void *__seq_open_private(struct file *f, const struct seq_operations *op, int size);
int seq_open_private(struct file *f, const struct seq_operations *op, int size);
int single_open(struct file *f, int (*show)(struct seq_file *m, void *v), void *data);
int single_open_size(struct file *f, int (*show)(struct seq_file *m, void *v),
		     void *data, size_t size);
int single_release(struct inode *i, struct file *f);
void seq_printf(struct seq_file *m, const char *fmt, ...);
void seq_vprintf(struct seq_file *m, const char *fmt, va_list ap);
void seq_puts(struct seq_file *m, const char *s);
void seq_putc(struct seq_file *m, char c);
#define ESCAPE_OCTAL	1
#define ESCAPE_NAP	2
#define ESCAPE_APPEND	4
void seq_escape_str(struct seq_file *m, const char *s, unsigned int flags, const char *only);
#define seq_escape(m, s, only)	seq_escape_str(m, s, ESCAPE_OCTAL, only)
int seq_write(struct seq_file *m, const void *p, size_t n);
void seq_hex_dump(struct seq_file *m, const char *prefix, int type, int rowsize,
		  int groupsize, const void *buf, size_t len, bool ascii);
#define seq_has_overflowed(m) ((m)->count == (m)->size)
#define seq_put_decimal_ull(m, d, v) seq_printf(m, "%s%llu", d, (unsigned long long)(v))
#define seq_put_decimal_ll(m, d, v) seq_printf(m, "%s%lld", d, (long long)(v))
#define DEFINE_SHOW_ATTRIBUTE(n)					\
static int n##_open(struct inode *i, struct file *f)			\
{ return single_open(f, n##_show, i->i_private); }			\
static const struct file_operations n##_fops = {			\
	.owner = THIS_MODULE, .open = n##_open, .read = seq_read,	\
	.llseek = seq_lseek, .release = single_release,			\
}

#define DEFINE_SEQ_ATTRIBUTE(n)						\
static int n##_open(struct inode *i, struct file *f)			\
{									\
	int err = seq_open(f, &n##_sops);				\
									\
	if (!err && i->i_private)					\
		((struct seq_file *)f->private_data)->private = i->i_private; \
	return err;							\
}									\
static const struct file_operations n##_fops = {			\
	.owner = THIS_MODULE, .open = n##_open, .read = seq_read,	\
	.llseek = seq_lseek, .release = seq_release,			\
}

/* Numbers from strings. */
int kstrtoull(const char *s, unsigned int base, unsigned long long *res);
int kstrtoll(const char *s, unsigned int base, long long *res);
int kstrtoul(const char *s, unsigned int base, unsigned long *res);
int kstrtol(const char *s, unsigned int base, long *res);
int kstrtouint(const char *s, unsigned int base, unsigned int *res);
int kstrtoul_from_user(const char *s, size_t n, unsigned int base, unsigned long *res);
int kstrtoint(const char *s, unsigned int base, int *res);
int kstrtobool(const char *s, bool *res);
#define kstrtou32(s, b, r) kstrtouint(s, b, r)
#define kstrtou64(s, b, r) kstrtoull(s, b, r)

/* Module parameters, boot parameters and initcalls register themselves. */
struct kernel_param;
struct kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *val, const struct kernel_param *kp);
	int (*get)(char *buf, const struct kernel_param *kp);
	void (*free)(void *arg);
};

struct kernel_param {
	const char *name;		/* with its prefix */
	const struct kernel_param_ops *ops;
	u16 perm;
	void *arg;
	struct kernel_param *next;
};

extern const struct kernel_param_ops param_ops_uint, param_ops_int, param_ops_bool;
extern const struct kernel_param_ops param_ops_ulong, param_ops_charp;
int param_set_uint(const char *val, const struct kernel_param *kp);
int param_get_uint(char *buf, const struct kernel_param *kp);
int param_set_bool(const char *val, const struct kernel_param *kp);
int param_get_bool(char *buf, const struct kernel_param *kp);
int param_set_uint_minmax(const char *val, const struct kernel_param *kp,
			  unsigned int lo, unsigned int hi);
void shim_param_register(struct kernel_param *kp);
#define KPARAM_MUTEX	do { } while (0)
#define kernel_param_lock(m) do { } while (0)
#define kernel_param_unlock(m) do { } while (0)
#define MODULE_PARAM_PREFIX KBUILD_MODNAME "."
#define MODULE_PARM_DESC(n, d) _Static_assert(1, d)
#define __shim_param(n, o, a, p)					\
static struct kernel_param __param_##n = {				\
	.name = MODULE_PARAM_PREFIX #n, .ops = (o), .perm = (p), .arg = (a), \
};									\
static void __attribute__((__constructor__)) __param_reg_##n(void)	\
{									\
	shim_param_register(&__param_##n);				\
}									\
_Static_assert(1, "")
#define module_param_cb(n, o, a, p) __shim_param(n, o, (void *)(a), p)
#define module_param_named(n, v, T, p) __shim_param(n, &param_ops_##T, (void *)&(v), p)
#define module_param(n, T, p)	module_param_named(n, n, T, p)
#define core_param(n, v, T, p)	module_param_named(n, v, T, p)

struct shim_boot {
	const char *name;
	int (*setup)(char *arg);
	struct shim_boot *next;
};

struct shim_initcall {
	int level;
	int (*fn)(void);
	const char *name;
	struct shim_initcall *next;
};

void shim_boot_register(struct shim_boot *b);
void shim_initcall_register(struct shim_initcall *c);
#define early_param(s, f)						\
static struct shim_boot __boot_##f = { .name = (s), .setup = (f) };	\
static void __attribute__((__constructor__)) __boot_reg_##f(void)	\
{									\
	shim_boot_register(&__boot_##f);				\
}									\
_Static_assert(1, "")
#define __setup(s, f)	early_param(s, f)
#ifdef SHIM_NO_INITCALLS
/* A program that uses single functions of the core. */
#define __shim_initcall(f, l)	static int (*__ic_##f)(void) __maybe_unused = (f)
#else
#define __shim_initcall(f, l)						\
static struct shim_initcall __ic_##f = { .level = (l), .fn = (f), .name = #f }; \
static void __attribute__((__constructor__)) __ic_reg_##f(void)		\
{									\
	shim_initcall_register(&__ic_##f);				\
}									\
_Static_assert(1, "")
#endif
#define early_initcall(f)	__shim_initcall(f, 0)
#define core_initcall(f)	__shim_initcall(f, 1)
#define postcore_initcall(f)	__shim_initcall(f, 2)
#define arch_initcall(f)	__shim_initcall(f, 3)
#define subsys_initcall(f)	__shim_initcall(f, 4)
#define fs_initcall(f)		__shim_initcall(f, 5)
#define device_initcall(f)	__shim_initcall(f, 6)
#define late_initcall(f)	__shim_initcall(f, 7)
#define late_initcall_sync(f)	__shim_initcall(f, 8)
#define module_init(f)		device_initcall(f)
#define module_exit(f)		_Static_assert(1, #f)
/* For the harness. */
int shim_boot_param(const char *name, char *arg);
int shim_run_initcalls(void);
int shim_param_set(const char *name, const char *val);
int shim_param_get(const char *name, char *buf);
int shim_param_perm(const char *name);

/* Stack traces come from the harness, by number: see stack.c. */
typedef u32 depot_stack_handle_t;
typedef u32 depot_flags_t;
unsigned int stack_trace_save(unsigned long *store, unsigned int size, unsigned int skip);
/* Frames from this address on are the entry of an interrupt. */
#define SHIM_IRQENTRY_TEXT	(SHIM_TEXT + SHIM_TEXT_SIZE)
unsigned int filter_irq_stacks(unsigned long *e, unsigned int n);
depot_stack_handle_t stack_depot_save(unsigned long *e, unsigned int n, gfp_t gfp);
depot_stack_handle_t stack_depot_save_flags(unsigned long *e, unsigned int n,
					    gfp_t gfp, depot_flags_t f);
#define STACK_DEPOT_FLAG_CAN_ALLOC 1
#define STACK_DEPOT_FLAG_GET 2
#define stack_depot_put(h) do { } while (0)
unsigned int stack_depot_fetch(depot_stack_handle_t h, unsigned long **e);

#define SHIM_DEPOT_FRAMES	16

/* The fields that the core uses are named as in the kernel. */
struct stack_record {
	struct stack_record *next;
	u32 hash;
	u32 size;
	union {
		depot_stack_handle_t handle;
	} handle;
	refcount_t count;
	unsigned long entries[SHIM_DEPOT_FRAMES];
};

struct stack_record *__stack_depot_get_stack_record(depot_stack_handle_t h);
void stack_depot_print(depot_stack_handle_t h);
int stack_depot_snprint(depot_stack_handle_t h, char *buf, size_t n, int spaces);
void stack_trace_print(const unsigned long *e, unsigned int n, int spaces);
int stack_trace_snprint(char *buf, size_t size, const unsigned long *e,
			unsigned int n, int spaces);
#define stack_depot_request_early_init() do { } while (0)
#define stack_depot_init() 0
extern __thread unsigned int shim_stack_id;
extern int shim_depot_fail;

/* Static keys and calls: a word and a pointer. */
struct static_key_false { int on; };
struct static_key_true { int on; };
#define STATIC_KEY_FALSE_INIT { 0 }
#define STATIC_KEY_TRUE_INIT { 1 }
#define DEFINE_STATIC_KEY_FALSE(n) struct static_key_false n = { 0 }
#define DEFINE_STATIC_KEY_TRUE(n) struct static_key_true n = { 1 }
#define DEFINE_STATIC_KEY_FALSE_RO(n) DEFINE_STATIC_KEY_FALSE(n)
#define DEFINE_STATIC_KEY_TRUE_RO(n) DEFINE_STATIC_KEY_TRUE(n)
#define DECLARE_STATIC_KEY_FALSE(n) extern struct static_key_false n
#define DECLARE_STATIC_KEY_TRUE(n) extern struct static_key_true n
#define static_branch_unlikely(k) unlikely(READ_ONCE((k)->on))
#define static_branch_likely(k) likely(READ_ONCE((k)->on))
#define static_key_enabled(k) READ_ONCE((k)->on)
#define static_branch_enable(k) do { might_sleep(); WRITE_ONCE((k)->on, 1); } while (0)
#define static_branch_disable(k) do { might_sleep(); WRITE_ONCE((k)->on, 0); } while (0)
#define static_branch_enable_cpuslocked(k) static_branch_enable(k)
#define static_branch_inc(k) ((void)__atomic_fetch_add(&(k)->on, 1, __ATOMIC_SEQ_CST))
#define static_branch_dec(k) ((void)__atomic_fetch_sub(&(k)->on, 1, __ATOMIC_SEQ_CST))
#define DEFINE_STATIC_CALL(n, f) typeof(f) *__sc_##n = (f)
#define DEFINE_STATIC_CALL_RET0(n, f) typeof(f) *__sc_##n
#define DECLARE_STATIC_CALL(n, f) extern typeof(f) *__sc_##n
#define static_call(n)	(*READ_ONCE(__sc_##n))
#define static_call_update(n, f) WRITE_ONCE(__sc_##n, f)
#define static_call_query(n) READ_ONCE(__sc_##n)

/* Tracepoints: calls without an effect. */
#define TP_PROTO(a...)	a
#define TP_ARGS(a...)	a
#define TP_STRUCT__entry(a...)
#define TP_fast_assign(a...)
#define TP_printk(a...)
#define TRACE_DEFINE_ENUM(a)	_Static_assert((a) >= 0, #a)
#define DECLARE_EVENT_CLASS(n, proto, args...)
#define TRACE_EVENT(n, proto, args...)					\
	static inline __maybe_unused void trace_##n(proto) { }		\
	static inline __maybe_unused bool trace_##n##_enabled(void) { return true; }
#define DEFINE_EVENT(class, n, proto, args...) TRACE_EVENT(n, proto)

#endif /* _SHIM_IO_H */
