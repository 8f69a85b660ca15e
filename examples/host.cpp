/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.cpp - a C++ program around axl: handles that free themselves, exceptions for statuses, a
 * config made in the program.  C++11 is enough.
 *
 *   host MODEL_DIR ROWS.jsonl OUT_DIR
 */
#include <axl/axl.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

/* A status as an exception that carries the library's one line. */
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
using Config = Handle<axl_config, axl_config_free>;
using Tokenizer = Handle<axl_tokenizer, axl_tokenizer_free>;
using Dataset = Handle<axl_dataset, axl_dataset_free>;
using Loader = Handle<axl_loader, axl_loader_free>;
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

const std::string yaml = "datasets: [{path: rows, type: alpaca}]\n"
                         "adapter: lora\nlora_r: 8\nlora_alpha: 16\nlora_target_linear: true\n"
                         "sequence_len: 128\nmicro_batch_size: 4\ngradient_accumulation_steps: 1\n"
                         "max_steps: 5\nlearning_rate: 0.002\nval_set_size: 0\n";

void train(const std::string &base, const std::string &rows, const std::string &out)
{
    const std::vector<std::string> changes = { "base_model=" + base, "datasets[0].path=" + rows,
                                               "output_dir=" + out };
    const std::vector<const char *> overrides = { changes[0].c_str(), changes[1].c_str(),
                                                  changes[2].c_str() };
    axl_config_options options = AXL_CONFIG_OPTIONS_INIT;
    options.overrides = overrides.data();
    options.n_overrides = overrides.size();

    auto ctx = make<Context>(axl_context_new, nullptr);
    auto config =
        make<Config>(axl_config_parse, ctx.get(), yaml.data(), yaml.size(), "host.cpp", &options);
    auto tokenizer = make<Tokenizer>(axl_tokenizer_from_config, config.get());
    auto data =
        make<Dataset>(axl_dataset_from_config, config.get(), tokenizer.get(), AXL_SPLIT_TRAIN);
    auto loader = make<Loader>(axl_loader_from_config, config.get(), data.get(), AXL_SPLIT_TRAIN);
    auto model = make<Model>(axl_model_from_config, config.get());
    auto adapter = make<Adapter>(axl_adapter_from_config, config.get(), model.get());
    uint64_t steps = 0;
    check(axl_loader_get_total_steps(loader.get(), &steps));
    auto trainer =
        make<Trainer>(axl_trainer_from_config, config.get(), model.get(), adapter.get(), steps);
    axl_batch batch = AXL_BATCH_INIT;
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    axl_status status;
    while ((status = axl_loader_next(loader.get(), &batch)) == AXL_OK) {
        check(axl_trainer_forward_backward(trainer.get(), &batch, nullptr));
        if (!axl_trainer_ready(trainer.get()))
            continue;
        check(axl_trainer_step(trainer.get(), &stats));
        std::cout << "step " << stats.step << " of " << steps << " loss " << stats.loss << "\n";
    }
    check(status);
    check(axl_trainer_export(trainer.get(), out.c_str()));
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::cerr << "usage: host MODEL_DIR ROWS.jsonl OUT_DIR\n";
        return 2;
    }
    try {
        train(argv[1], argv[2], argv[3]);
    } catch (const std::exception &e) {
        std::cerr << "host: " << e.what() << "\n";
        return 1;
    }
}
