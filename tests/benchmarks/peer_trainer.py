"""Hugging Face's Trainer on the texts of a benchmark, in an environment of its own.

Reads {"texts", "labels", "model", "batch_size", "epochs", "frozen_layers", "bf16"} as JSON from
standard input and writes {"seconds": [one an epoch], "versions"} to standard output. With
{"validation": {"texts", "labels"}} it prints `validation ACCURACY` after every epoch. Dynamic
padding, texts grouped by length, AdamW: the Trainer's best public settings for such a set.
"""

import dataclasses
import json
import sys
import time

import torch
import transformers


class Clock(transformers.TrainerCallback):
    """Notes the seconds of every epoch."""

    def __init__(self):
        self.seconds, self.began = [], 0.0

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Starts."""
        self.began = time.monotonic()

    def on_epoch_end(self, args, state, control, **kwargs):
        """Stops."""
        self.seconds.append(time.monotonic() - self.began)

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        """Prints the accuracy."""
        print("validation", metrics["eval_accuracy"], flush=True)


def encode(tokenizer, texts, labels):
    """Returns the rows that the Trainer reads."""
    encoded = tokenizer(texts, truncation=True, max_length=128)
    return [
        {**{name: values[index] for name, values in encoded.items()}, "labels": label}
        for index, label in enumerate(labels)
    ]


def accuracy(found):
    """Returns the accuracy of logits."""
    return {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())}


def main():
    """Trains and prints the times."""
    task = json.load(sys.stdin)
    from transformers import Trainer, TrainingArguments  # noqa: F401 - imported at their first use
    from transformers.models.bert import modeling_bert, tokenization_bert  # noqa: F401

    began = time.monotonic()
    torch.set_num_threads(task.get("threads", 2))
    transformers.set_seed(task.get("seed", 0))
    tokenizer = transformers.AutoTokenizer.from_pretrained(task["model"])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        task["model"], num_labels=len(set(task["labels"]))
    )
    if task["frozen_layers"]:
        frozen = [model.bert.embeddings, *model.bert.encoder.layer[: task["frozen_layers"]]]
        for module in frozen:
            module.requires_grad_(False)
    rows = encode(tokenizer, task["texts"], task["labels"])
    judged = task.get("validation")
    options = {
        "output_dir": task["folder"],
        "per_device_train_batch_size": task["batch_size"],
        "num_train_epochs": task["epochs"],
        "bf16": task["bf16"],
        "use_cpu": not torch.cuda.is_available(),
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "learning_rate": task.get("learning_rate", 1e-4),
        "seed": task.get("seed", 0),
        "eval_strategy": "epoch" if judged else "no",
    }
    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    if "group_by_length" in known:
        options["group_by_length"] = True
    else:  # the name since transformers 5
        options["train_sampling_strategy"] = "group_by_length"
    clock = Clock()
    transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(**options),
        train_dataset=rows,
        eval_dataset=encode(tokenizer, **judged) if judged else None,
        compute_metrics=accuracy,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
        callbacks=[clock],
    ).train()
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    seconds = clock.seconds  # the first with all before it, but imports
    seconds[0] = time.monotonic() - began - sum(seconds[1:])
    print(json.dumps({"seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main()
