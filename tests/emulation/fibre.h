/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fibre.h - stacks of their own on one thread of the host.  fibre_switch leaves the running one
 * and returns in the other where it was left.
 */
#ifndef AXL_EMULATION_FIBRE_H
#define AXL_EMULATION_FIBRE_H

#include <stddef.h>
#include <stdint.h>

/* What the address sanitizer is told of stacks that are changed. */
struct fibre_stack {
    const void *bottom;
    size_t size;
    void *fake; /* the sanitizer's own, of what has been left */
};

#if defined(__SANITIZE_ADDRESS__)
#define FIBRES_ARE_TOLD
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBRES_ARE_TOLD
#endif
#endif
#ifdef FIBRES_ARE_TOLD
#include <sanitizer/common_interface_defs.h>

/* Before a stack is left, and first thing on the other one, which hears where it was come from. */
static inline void fibre_leaving(fibre_stack *leave, const fibre_stack *enter)
{
    __sanitizer_start_switch_fiber(&leave->fake, enter->bottom, enter->size);
}
static inline void fibre_entered(const fibre_stack *back, fibre_stack *from)
{
    __sanitizer_finish_switch_fiber(back ? back->fake : NULL, from ? &from->bottom : NULL,
                                    from ? &from->size : NULL);
}
#else
static inline void fibre_leaving(fibre_stack *, const fibre_stack *)
{
}
static inline void fibre_entered(const fibre_stack *, fibre_stack *)
{
}
#endif

#ifdef __x86_64__

struct fibre {
    void *stack_pointer;
    fibre_stack stack;
};

/* Saves what a function must keep (System V AMD64 ABI, 3.2.1) on the stack that it leaves. */
extern "C" void axl_fibre_switch(void **leave, void *enter);
asm(".text\n"
    ".type axl_fibre_switch, @function\n"
    "axl_fibre_switch:\n"
    "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size axl_fibre_switch, . - axl_fibre_switch\n");

static inline void fibre_change(fibre *leave, fibre *enter)
{
    axl_fibre_switch(&leave->stack_pointer, enter->stack_pointer);
}

/* entry begins with fibre_entered() and must never return. */
static inline void fibre_start(fibre *f, char *stack, size_t size, void (*entry)(void))
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)63;
    void **at = (void **)(top - 64);

    at[6] = (void *)entry; /* popped by ret, which leaves the stack as after a call */
    at[7] = NULL;
    for (int i = 0; i < 6; i++)
        at[i] = NULL;
    f->stack_pointer = at;
    f->stack = fibre_stack{ stack, size, NULL };
}

#else

#include <ucontext.h>

struct fibre {
    ucontext_t context;
    fibre_stack stack;
};

static inline void fibre_change(fibre *leave, fibre *enter)
{
    swapcontext(&leave->context, &enter->context);
}

static inline void fibre_start(fibre *f, char *stack, size_t size, void (*entry)(void))
{
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack;
    f->context.uc_stack.ss_size = size;
    f->context.uc_link = NULL;
    makecontext(&f->context, entry, 0);
    f->stack = fibre_stack{ stack, size, NULL };
}

#endif

/* came_from: the stack of whoever comes back, who may be another thread of the host; or NULL. */
static inline void fibre_switch(fibre *leave, fibre *enter, fibre_stack *came_from)
{
    fibre_leaving(&leave->stack, &enter->stack);
    fibre_change(leave, enter);
    fibre_entered(&leave->stack, came_from);
}

#endif
