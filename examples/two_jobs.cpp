/* SPDX-License-Identifier: Apache-2.0 */
/*
 * two_jobs.cpp - two trainings at once on one model, each a job of its own: one is cancelled as
 * soon as it has begun, the other goes on and reports its progress.
 *
 *   two_jobs MODEL_DIR TEXT
 */
#include <axl/axl.h>

#include <atomic>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

void check(axl_status status)
{
    if (status < 0)
        throw std::runtime_error(axl_last_error());
}

template <class T, void (*Free)(T *)> struct Freer {
    void operator()(T *handle) const
    {
        Free(handle);
    }
};
template <class T, void (*Free)(T *)> using Handle = std::unique_ptr<T, Freer<T, Free>>;

using Context = Handle<axl_context, axl_context_free>;
using Job = Handle<axl_job, axl_job_free>;
using Tokenizer = Handle<axl_tokenizer, axl_tokenizer_free>;
using Model = Handle<axl_model, axl_model_free>;
using Adapter = Handle<axl_adapter, axl_adapter_free>;
using Trainer = Handle<axl_trainer, axl_trainer_free>;

/* Every constructor of axl gives its handle through the first argument. */
template <class H, class... Params, class... Args>
H make(axl_status (*constructor)(typename H::pointer *, Params...), Args... args)
{
    typename H::pointer handle = nullptr;
    check(constructor(&handle, args...));
    return H(handle);
}

/* The calls of this thread are a job's while it lives. */
class InJob
{
  public:
    explicit InJob(axl_job *job)
    {
        check(axl_job_enter(job));
    }
    ~InJob()
    {
        axl_job_leave();
    }
    InJob(const InJob &) = delete;
    InJob &operator=(const InJob &) = delete;
};

std::vector<int32_t> encode(const axl_tokenizer *tok, const std::string &text)
{
    axl_buffer ids = AXL_BUFFER_INIT;
    check(axl_tokenizer_encode(tok, text.data(), text.size(), 0, &ids));
    const int32_t *first = static_cast<const int32_t *>(ids.data);
    std::vector<int32_t> made(first, first + ids.length / sizeof(int32_t));
    axl_buffer_free(&ids);
    return made;
}

/* Steps of a new adapter on one text, each told; how many were done before the end or a cancel. */
int train(axl_model *model, const std::vector<int32_t> &ids, int steps,
          const std::function<void(int)> &tell)
{
    const int32_t cu_seqlens[] = { 0, static_cast<int32_t>(ids.size()) };
    axl_batch batch = AXL_BATCH_INIT;
    batch.input_ids = batch.labels = ids.data();
    batch.cu_seqlens = cu_seqlens;
    batch.n_tokens = static_cast<uint32_t>(ids.size());
    batch.n_seqs = 1;

    auto adapter = make<Adapter>(axl_adapter_new, model, nullptr);
    auto trainer = make<Trainer>(axl_trainer_new, model, adapter.get(), nullptr);
    for (int done = 0; done < steps; done++) {
        axl_status status = axl_trainer_forward_backward(trainer.get(), &batch, nullptr);
        if (status == AXL_OK)
            status = axl_trainer_step(trainer.get(), nullptr);
        if (status == AXL_ERR_CANCELLED)
            return done;
        check(status);
        tell(done + 1);
    }
    return steps;
}

/* Called for the reports of the job that it was given with. */
int count_report(void *user, const axl_progress *)
{
    ++*static_cast<std::atomic<int> *>(user);
    return 0;
}

void run(const std::string &dir, const std::string &text)
{
    std::atomic<int> reports(0);
    axl_job_options counted = AXL_JOB_OPTIONS_INIT;
    counted.progress = count_report;
    counted.progress_user = &reports;

    auto ctx = make<Context>(axl_context_new, nullptr);
    auto tok = make<Tokenizer>(axl_tokenizer_open, ctx.get(), dir.c_str(), nullptr);
    auto model = make<Model>(axl_model_open, ctx.get(), dir.c_str(), nullptr);
    auto stopped = make<Job>(axl_job_new, ctx.get(), nullptr);
    auto going = make<Job>(axl_job_new, ctx.get(), &counted);
    const std::vector<int32_t> ids = encode(tok.get(), text);
    std::promise<void> begun;

    auto other = std::async(std::launch::async, [&] {
        InJob in(stopped.get());
        bool told = false;
        auto tell = [&](int) {
            if (!told)
                begun.set_value();
            told = true;
        };
        try {
            return train(model.get(), ids, 1000000, tell);
        } catch (...) {
            tell(0); /* nobody waits for what has failed */
            throw;
        }
    });
    begun.get_future().wait();
    axl_job_cancel(stopped.get());
    {
        InJob in(going.get());
        std::cout << "this job: " << train(model.get(), ids, 10, [](int) {}) << " steps\n";
    }
    std::cout << "the other: " << (other.get() < 1000000 ? "cancelled" : "done") << "\n"
              << (reports > 0 ? "reports came" : "no report") << "\n";
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::cerr << "usage: two_jobs MODEL_DIR TEXT\n";
        return 2;
    }
    try {
        run(argv[1], argv[2]);
    } catch (const std::exception &e) {
        std::cerr << "two_jobs: " << e.what() << "\n";
        return 1;
    }
    return 0;
}
