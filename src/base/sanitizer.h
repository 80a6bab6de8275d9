/* sanitizer.h - what a build with AddressSanitizer is to be told. */
#ifndef MXC_BASE_SANITIZER_H
#define MXC_BASE_SANITIZER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

/* A stack on which a child was exec'd still has the marks of its frames. */
static inline void sanitizer_forget(void *at, size_t size)
{
    __asan_unpoison_memory_region(at, size);
}

/* Of a program that runs where nothing may be traced: the search for leaks at
 * its end does. */
#define SANITIZER_NO_LEAKS                                                     \
    __attribute__((visibility("default"))) const char *__asan_default_options( \
        void)                                                                  \
    {                                                                          \
        return "detect_leaks=0";                                               \
    }
#else
static inline void sanitizer_forget(void *at, size_t size)
{
    (void)at;
    (void)size;
}

#define SANITIZER_NO_LEAKS
#endif

#endif
