/* A CUDA driver and its run-time compiler without a GPU: memory is the host's, and a launch does nothing.
 *
 * FAKE_CAPABILITIES   a compute capability for each device, such as "80 90"
 * FAKE_VERSION        the driver's version of CUDA, such as "12020"
 * FAKE_OLD            where set, the driver knows no machine code
 * FAKE_FAULTS         a file; while it holds a device's number, work there fails, and with it all that follows until the
 *                     device's context is reset
 *
 * Reference: "CUDA Driver API" and "NVRTC", parts of the CUDA documentation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUCCESS = 0,
    OUT_OF_MEMORY = 2,
    NO_BINARY_FOR_GPU = 209,
    ILLEGAL_ADDRESS = 700,
    DEVICES_MAX = 16,
    /* Of the device attributes, those that are asked for. */
    MULTIPROCESSORS = 16,
    CAPABILITY_MAJOR = 75,
    CAPABILITY_MINOR = 76
};

typedef int CUresult;
typedef unsigned long long Address;

/* A device and its context. */
typedef struct {
    int users;       /* of its context */
    int allocations; /* that are alive */
    int lost;
} Device;

/* The first numbers of CUlaunchConfig. */
typedef struct {
    unsigned grid[3];
    unsigned block[3];
} LaunchConfig;

/* Ahead of each piece of memory. */
typedef struct {
    Device *device;
    char pad[256 - sizeof(Device *)];
} Header;

static Device devices[DEVICES_MAX];
static __thread Device *current;

static int capability(int device) {
    const char *text = getenv("FAKE_CAPABILITIES");
    char *end = (char *)(text ? text : "80");
    for (int i = 0; i <= device; i++) {
        const char *from = end;
        long value = strtol(from, &end, 10);
        if (end == from) return 0;
        if (i == device) return (int)value;
    }
    return 0;
}

/* What becomes of work on the current device. */
static CUresult work(void) {
    const char *path = getenv("FAKE_FAULTS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        int device;
        if (fscanf(file, "%d", &device) == 1 && current == &devices[device]) current->lost = 1;
        fclose(file);
    }
    return current->lost ? ILLEGAL_ADDRESS : SUCCESS;
}

static CUresult allocate(void **memory, size_t bytes) {
    Header *header = calloc(1, sizeof(Header) + bytes);
    if (!header) return OUT_OF_MEMORY;
    header->device = current;
    __atomic_fetch_add(&current->allocations, 1, __ATOMIC_SEQ_CST);
    *memory = header + 1;
    return SUCCESS;
}

static CUresult release(void *memory) {
    Header *header = (Header *)memory - 1;
    __atomic_fetch_sub(&header->device->allocations, 1, __ATOMIC_SEQ_CST);
    free(header);
    return SUCCESS;
}

/* A handle of something that needs no more than to be one. */
static CUresult handle(void **to) {
    static int something;
    *to = &something;
    return current->lost ? ILLEGAL_ADDRESS : SUCCESS;
}

CUresult cuInit(unsigned flags) { return (void)flags, SUCCESS; }

CUresult cuDriverGetVersion(int *version) {
    const char *text = getenv("FAKE_VERSION");
    *version = text ? atoi(text) : 13000;
    return SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **name) {
    *name = error == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
    return SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char **words) {
    *words = error == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "something was refused";
    return SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
    for (*count = 0; capability(*count); ++*count) {}
    return SUCCESS;
}

CUresult cuDeviceGet(int *device, int ordinal) { return *device = ordinal, SUCCESS; }

CUresult cuDeviceGetName(char *name, int size, int device) {
    return (void)device, snprintf(name, (size_t)size, "Fake GPU"), SUCCESS;
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) { return *free = *total = 1 << 30, SUCCESS; }

CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
    int digits = capability(device);
    switch (attribute) {
        case MULTIPROCESSORS: *value = 1; break;
        case CAPABILITY_MAJOR: *value = digits / 10; break;
        case CAPABILITY_MINOR: *value = digits % 10; break;
        default: *value = 0;
    }
    return SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(void **context, int device) {
    devices[device].users++;
    *context = &devices[device];
    return devices[device].lost ? ILLEGAL_ADDRESS : SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(int device) { return devices[device].users--, SUCCESS; }

CUresult cuDevicePrimaryCtxReset_v2(int device) {
    Device *reset = &devices[device];
    fprintf(stderr, "fake: device %d is reset with %d users and %d allocations\n", device, reset->users, reset->allocations);
    reset->lost = 0;
    return SUCCESS;
}

CUresult cuCtxGetCurrent(void **context) { return *context = current, SUCCESS; }
CUresult cuCtxSetCurrent(void *context) { return current = context, SUCCESS; }

CUresult cuModuleLoadData(void **module, const void *image) {
    if (memcmp(image, "\177ELF", 4) != 0 || getenv("FAKE_OLD")) return NO_BINARY_FOR_GPU;
    return handle(module);
}

CUresult cuModuleGetFunction(void **function, void *module, const char *name) {
    return (void)module, (void)name, handle(function);
}

CUresult cuStreamCreate(void **stream, unsigned flags) { return (void)flags, handle(stream); }
CUresult cuStreamDestroy_v2(void *stream) { return (void)stream, SUCCESS; }
CUresult cuStreamSynchronize(void *stream) { return (void)stream, work(); }

CUresult cuEventCreate(void **event, unsigned flags) { return (void)flags, handle(event); }
CUresult cuEventDestroy_v2(void *event) { return (void)event, SUCCESS; }
CUresult cuEventRecord(void *event, void *stream) { return (void)event, (void)stream, work(); }
CUresult cuEventSynchronize(void *event) { return (void)event, work(); }

CUresult cuMemAlloc_v2(Address *address, size_t bytes) { return allocate((void **)address, bytes); }
CUresult cuMemFree_v2(Address address) { return release((void *)address); }
CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) { return (void)flags, allocate(memory, bytes); }
CUresult cuMemFreeHost(void *memory) { return release(memory); }

CUresult cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
    return (void)stream, memcpy((void *)to, from, bytes), work();
}

CUresult cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
    return (void)stream, memcpy(to, (void *)from, bytes), work();
}

CUresult cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) {
    return (void)stream, memcpy((void *)to, (void *)from, bytes), work();
}

CUresult cuMemsetD8Async(Address to, unsigned char value, size_t bytes, void *stream) {
    return (void)stream, memset((void *)to, value, bytes), work();
}

CUresult cuLaunchKernelEx(const LaunchConfig *config, void *function, void **arguments, void **extra) {
    int empty = 0;
    for (int i = 0; i < 3; i++) empty |= config->grid[i] == 0 || config->block[i] == 0;
    return (void)function, (void)arguments, (void)extra, empty ? 1 : work();
}

CUresult cuStreamBeginCapture_v2(void *stream, int mode) { return (void)stream, (void)mode, SUCCESS; }
CUresult cuStreamEndCapture(void *stream, void **graph) { return (void)stream, handle(graph); }
CUresult cuGraphInstantiateWithFlags(void **made, void *graph, unsigned long long flags) {
    return (void)graph, (void)flags, handle(made);
}
CUresult cuGraphDestroy(void *graph) { return (void)graph, SUCCESS; }
CUresult cuGraphExecDestroy(void *graph) { return (void)graph, SUCCESS; }
CUresult cuGraphUpload(void *graph, void *stream) { return (void)graph, (void)stream, work(); }
CUresult cuGraphLaunch(void *graph, void *stream) { return (void)graph, (void)stream, work(); }

/* The compiler: whatever it is given becomes the beginning of an ELF file. */

static const char CUBIN[] = "\177ELF";

int nvrtcVersion(int *major, int *minor) { return *major = 13, *minor = 0, SUCCESS; }
const char *nvrtcGetErrorString(int status) { return (void)status, "fake"; }
int nvrtcCreateProgram(void **program, const char *source, const char *name, int headers, const char *const *texts,
                       const char *const *names) {
    static int something;
    return (void)source, (void)name, (void)headers, (void)texts, (void)names, *program = &something, SUCCESS;
}
int nvrtcDestroyProgram(void **program) { return *program = NULL, SUCCESS; }
int nvrtcCompileProgram(void *program, int count, const char *const *options) {
    return (void)program, (void)count, (void)options, SUCCESS;
}
int nvrtcGetProgramLogSize(void *program, size_t *bytes) { return (void)program, *bytes = 1, SUCCESS; }
int nvrtcGetProgramLog(void *program, char *log) { return (void)program, *log = 0, SUCCESS; }
int nvrtcGetCUBINSize(void *program, size_t *bytes) { return (void)program, *bytes = sizeof(CUBIN), SUCCESS; }
int nvrtcGetCUBIN(void *program, char *cubin) { return (void)program, memcpy(cubin, CUBIN, sizeof(CUBIN)), SUCCESS; }
